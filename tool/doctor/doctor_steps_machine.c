/* doctor_steps_machine.c - the steps on the test machine and behind it. See doctor_steps_parts.h.
 * Takes: what was examined.  Gives: steps.  Must not: name a command that Microsoft's documentation does not:
 * certutil, bcdedit, pnputil, verifier (rule "code integrity checking", 0x02000000), and the registry value
 * of memory integrity. */
#include "doctor/doctor_steps_parts.h"

void doctor_step_trust(struct step_maker *maker)
{
    struct doctor_step *step = doctor_step_begin(
        maker, "Prepare the test machine",
        "A machine that you control and can lose; never one of somebody else. Secure Boot has to be off "
        "for test-signing mode. Where BitLocker is on, turning either off or on makes it ask for the "
        "recovery "
        "key at the next start: have the key at hand, or suspend BitLocker first. Restart afterwards.");
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "certutil -addstore Root test.cer");
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "certutil -addstore TrustedPublisher test.cer");
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "bcdedit /set testsigning on");
}

void doctor_step_integrity(struct step_maker *maker)
{
    struct doctor_step *step =
        doctor_step_begin(maker, "Turn memory integrity on, on the test machine",
                          "Windows Security, Device security, Core isolation, Memory "
                          "integrity; or this command. Restart afterwards. "
                          "A driver that it refuses does not load; should the machine not "
                          "start, the recovery environment turns it "
                          "off again (the same value with 0).");
    doctor_step_command(
        maker, step, DOCTOR_ON_WINDOWS_ADMIN, "reg add @ /v Enabled /t REG_DWORD /d 1 /f",
        "HKLM\\SYSTEM\\CurrentControlSet\\Control\\DeviceGuard\\Scenarios\\HypervisorEnforcedCodeIntegrity");
    step->after =
        "hvcifix doctor says on that machine whether it is on; so does msinfo32 (Virtualization-based "
        "security Services Running).";
}

void doctor_step_load(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    struct doctor_step *step = doctor_step_begin(
        maker, "See that it loads",
        "Driver Verifier's code integrity checks stop the machine (bug check 0xC4, 0x2000 to 0x2006) when "
        "the driver "
        "does what memory integrity forbids. Set them, restart, load the driver, and use the device.");
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "verifier /flags 0x02000000 /driver @",
                        maker->driver->name);
    if (doctor->inf_count != 0)
        doctor_step_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "pnputil /add-driver @ /install",
                            doctor->infs[0].name);
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS, "driverquery /v /fo list");
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS,
                        "wevtutil qe Microsoft-Windows-CodeIntegrity/Operational /c:20 /rd:true /f:text");
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "verifier /reset");
    if (doctor->inf_count == 0)
        step->after =
            doctor->kind == DOCTOR_PROGRAM
                ? "Verifier takes the file name under which the driver is installed. driverquery lists what "
                  "is "
                  "loaded; the event log names each driver that code integrity has refused, and why. "
                  "verifier "
                  "/reset ends the test."
                : "driverquery lists what is loaded; the event log names each driver that code integrity has "
                  "refused, and why. verifier /reset ends the test.";
    else
        step->after =
            "pnputil installs the package. driverquery lists what is loaded; the event log names each "
            "driver that code integrity has refused, and why. verifier /reset ends the test.";
}

void doctor_step_release(struct step_maker *maker)
{
    (void)doctor_step_begin(
        maker, "For other people's machines: Microsoft's signature",
        "Windows 10 version 1607 and later load only drivers that Microsoft has signed. With an account in "
        "the Windows Hardware Developer Program and an EV certificate, submit the tested package (a "
        "cabinet that is signed with that certificate) for attestation signing, or for certification. That "
        "is for the owner of the driver, or with the owner's permission: whoever signs, answers for it.");
}

void doctor_step_go_back(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    bool in_place = doctor->kind == DOCTOR_DRIVER;
    struct doctor_step *step = doctor_step_begin(
        maker, "To go back",
        in_place ? "By the undo file that lies beside the driver since the repair. Then the test machine "
                   "loads only what is signed for everybody again, after a restart."
                 : "The old package is as it was; install it again. Then the test machine loads only what "
                   "is signed for everybody again, after a restart.");
    if (in_place)
        doctor_step_command(maker, step, DOCTOR_HERE, "hvcifix restore @", doctor->path);
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "bcdedit /set testsigning off");
}
