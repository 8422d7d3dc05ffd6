/* ordered_window.c - ordered.h: reports in their order, by a window of finished ones. Who ends the job whose
 * turn it is delivers its report and those that wait behind it.
 * Takes: reports.  Gives: them in order.  Must not: know images or print. */
#include "cli/ordered_internal.h"

#include <stdlib.h>
#include <string.h>

enum { DELIVERIES_PER_CALL = 32 };

static struct slot *slot_of(const struct ordered *ordered, size_t number)
{
    return &ordered->window[number % ordered->window_count];
}

/* Inside the meeting, which is left while the report is taken: no other thread delivers before next_report
 * moves. */
static void deliver_one(struct ordered *ordered, size_t number, const struct image_report *report,
                        bool is_last)
{
    if (ordered->is_stopped)
        return;
    ordered_leave(ordered);
    bool goes_on = ordered->jobs->deliver(ordered->jobs->context, number, report, is_last);
    ordered_enter(ordered);
    ordered->is_stopped = !goes_on;
}

/* Inside the meeting: the parts of the job whose turn it is that wait. */
static void deliver_parts(struct ordered *ordered, size_t number)
{
    if (!ordered->window)
        return;
    struct slot *slot = slot_of(ordered, number);
    for (size_t i = 0; i < slot->part_count; i++) {
        deliver_one(ordered, number, &slot->parts[i], false);
        ordered->waiting_nbytes -= slot->parts[i].nbytes;
        free((void *)slot->parts[i].chars);
    }
    free(slot->parts);
    slot->parts = NULL;
    slot->part_count = slot->part_capacity = 0;
}

/* Inside the meeting: ends the job whose turn it is. */
static void deliver(struct ordered *ordered, size_t number, const struct image_report *report)
{
    bool is_last = !ordered->window || !slot_of(ordered, number + 1)->is_ready;
    deliver_parts(ordered, number);
    deliver_one(ordered, number, report, is_last);
    ordered->next_report++;
    if (ordered->next_report % DELIVERIES_PER_CALL == 0)
        ordered_call(ordered); /* there is room again for who waits, though more is to be delivered */
}

/* The report with chars of its own; false when memory ran out. */
static bool copy_report(const struct image_report *report, struct image_report *copy)
{
    char *chars = malloc(report->nbytes + 1);
    *copy = *report;
    copy->chars = chars;
    if (chars && report->nbytes != 0)
        memcpy(chars, report->chars, report->nbytes);
    return chars != NULL;
}

/* Puts a copy of the report into the window; false when memory ran out, or it is its turn. */
static bool keep(struct ordered *ordered, size_t number, const struct image_report *report)
{
    struct image_report copy;
    ordered_enter(ordered);
    bool is_its_turn = ordered->next_report == number;
    ordered_leave(ordered);
    if (is_its_turn || !copy_report(report, &copy))
        return false;
    ordered_enter(ordered);
    bool is_kept = ordered->next_report != number;
    if (is_kept) {
        struct slot *slot = slot_of(ordered, number);
        slot->is_ready = true;
        slot->report = copy;
        ordered->waiting_nbytes += report->nbytes;
        ordered_call(ordered);
    }
    ordered_leave(ordered);
    if (!is_kept) /* its turn has come meanwhile */
        free((void *)copy.chars);
    return is_kept;
}

/* Waits until it is the job's turn, inside the meeting then; or hands a copy over, outside. */
static bool wait_or_keep(struct ordered *ordered, size_t number, const struct image_report *report)
{
    if (keep(ordered, number, report))
        return false;
    bool is_paused = false;
    ordered_enter(ordered);
    while (ordered->next_report != number) {
        if (is_paused || !ordered_must_stand_by(ordered)) {
            ordered_wait(ordered);
            continue;
        }
        /* Who wants to be alone has just released what it had, and needs what is held here. */
        ordered_leave(ordered);
        if (keep(ordered, number, report))
            return false;
        ordered_enter(ordered);
        ordered_pause(ordered, number);
        is_paused = true;
    }
    ordered->running_count += is_paused; /* not ordered_resume(): it judges no more */
    return true;
}

void ordered_hand_over(struct ordered *ordered, size_t number, const struct image_report *report)
{
    if (!wait_or_keep(ordered, number, report))
        return;
    deliver(ordered, number, report);
    while (ordered->window && slot_of(ordered, ordered->next_report)->is_ready) {
        struct slot *slot = slot_of(ordered, ordered->next_report);
        struct image_report taken = slot->report;
        ordered->waiting_nbytes -= taken.nbytes;
        deliver_parts(ordered, ordered->next_report);
        slot->is_ready = false;
        deliver(ordered, ordered->next_report, &taken);
        free((void *)taken.chars);
    }
    ordered_call(ordered);
    ordered_leave(ordered);
}

/* Inside the meeting: puts a copy of the part into the job's slot; false when memory ran out. */
static bool keep_part(struct ordered *ordered, size_t number, const struct image_report *part)
{
    struct slot *slot = slot_of(ordered, number);
    if (slot->part_count == slot->part_capacity) {
        size_t capacity = 2 * slot->part_capacity + 16;
        struct image_report *parts = realloc(slot->parts, capacity * sizeof *parts);
        if (!parts)
            return false;
        slot->parts = parts;
        slot->part_capacity = capacity;
    }
    if (!copy_report(part, &slot->parts[slot->part_count]))
        return false;
    slot->part_count++;
    ordered->waiting_nbytes += part->nbytes;
    return true;
}

bool ordered_hand_over_part(struct ordered *ordered, size_t number, const struct image_report *report)
{
    struct image_report part = *report;
    part.is_part = true;
    ordered_enter(ordered);
    bool has_room = ordered->waiting_nbytes < ORDERED_WINDOW_NBYTES;
    if (ordered->next_report == number || !has_room || !keep_part(ordered, number, &part)) {
        if (ordered->next_report != number) {
            ordered_pause(ordered, number);
            while (ordered->next_report != number)
                ordered_wait(ordered);
            ordered_resume(ordered);
        }
        deliver_parts(ordered, number);
        deliver_one(ordered, number, &part, true);
        ordered_call(ordered);
    }
    bool goes_on = !ordered->is_stopped;
    ordered_leave(ordered);
    return goes_on;
}

void ordered_wait_for(struct ordered *ordered, size_t number)
{
    ordered_enter(ordered);
    ordered_pause(ordered, NO_JOB);
    while (number >= ordered->next_report && !(ordered->window && slot_of(ordered, number)->is_ready))
        ordered_wait(ordered);
    ordered_resume(ordered);
    ordered_leave(ordered);
}
