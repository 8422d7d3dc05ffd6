/* html_style.c - the look of the page: on screens light and dark, wide and narrow, and on paper.
 * Takes nothing.  Gives: the text of <style>.  Must not: name anything that is fetched.
 * Colours are named once, in :root; tests/cli/test_report_html.py computes their contrast from there. */
#include "report/html_parts.h"

/* clang-format off */
const char *const html_style[] = {
":root{color-scheme:light dark;"
"--bg:#ffffff;--fg:#1b1f24;--muted:#57606a;--line:#d0d7de;--panel:#f6f8fa;--link:#0b5cad;--on:#ffffff;"
"--error:#b42318;--warning:#8a4b00;--note:#0b5cad;--good:#1a6b35;--waived:#6b3fa0;"
"--r:#eef1f5;--r-key:#57606a;--rw:#e1f4ee;--rw-key:#0f6b57;--rx:#e4eefc;--rx-key:#1f5fbf;"
"--wx:#fde7e4;--wx-key:#b42318;--mix:#f3eefb;--mix-key:#6b3fa0;--stay:#8c959f;--go:#6b3fa0}\n",
"@media screen and (prefers-color-scheme:dark){:root{"
"--bg:#0f1419;--fg:#e6edf3;--muted:#9aa7b4;--line:#30363d;--panel:#171d24;--link:#79b8ff;--on:#0f1419;"
"--error:#ff8a80;--warning:#f0b455;--note:#79b8ff;--good:#6fd08c;--waived:#c3a3f0;"
"--r:#1f262e;--r-key:#9aa7b4;--rw:#12302a;--rw-key:#5fd0b4;--rx:#14263f;--rx-key:#79b8ff;"
"--wx:#431a17;--wx-key:#ff8a80;--mix:#2a2140;--mix-key:#c3a3f0;--stay:#8b98a5;--go:#c3a3f0}}\n",
"*{box-sizing:border-box}\n",
"html{background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif;"
"-webkit-text-size-adjust:100%}\n",
"body{margin:0 auto;max-width:64rem;padding:1.5rem 1.25rem 3rem}\n",
"h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem}\n",
"h2{font-size:1.25rem;line-height:1.3;margin:2.5rem 0 .75rem}\n",
"h3{font-size:1.05rem;margin:1.75rem 0 .5rem}\n",
"h4{font-size:1rem;margin:0 0 .25rem}\n",
"p{margin:.4rem 0}\n",
"a{color:var(--link)}a:focus-visible,[tabindex]:focus-visible,summary:focus-visible{outline:2px solid var(--link);"
"outline-offset:2px}\n",
"code,.name,.rva,.place,.path,.evidence,.key{font-family:ui-monospace,SFMono-Regular,Consolas,\"DejaVu Sans Mono\","
"monospace;font-size:.9em}\n",
"code,.name,.path,.evidence li,.message,.waiver p,dd,td bdi{white-space:pre-wrap;overflow-wrap:anywhere}\n",
"bdi{unicode-bidi:isolate}\n",
"table{border-collapse:collapse;width:100%}\n",
"th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid var(--line)}\n",
"th{font-size:.85rem;color:var(--muted);font-weight:600;white-space:nowrap}\n",
".rva,.day,.count{white-space:nowrap}\n",
".scroll{overflow-x:auto;margin:0}\n",
".tool{color:var(--muted);margin:0;font-weight:600;letter-spacing:.02em}\n",
".verdict{font-size:1.2rem;font-weight:600;margin:.25rem 0 1rem}.verdict.good{color:var(--good)}"
".verdict.error{color:var(--error)}\n",
".tiles{display:flex;flex-wrap:wrap;gap:.5rem;list-style:none;margin:0 0 .5rem;padding:0}\n",
".tiles li{background:var(--panel);border:1px solid var(--line);border-left:4px solid var(--muted);"
"border-radius:4px;padding:.35rem .8rem}.tiles b{font-size:1.3rem}.tiles.small li{padding:.15rem .6rem}"
".tiles.small b{font-size:1rem}\n",
".tiles .good{border-left-color:var(--good)}.tiles .error{border-left-color:var(--error)}"
".tiles .warning{border-left-color:var(--warning)}.tiles .note{border-left-color:var(--note)}"
".tiles .waived{border-left-color:var(--waived)}\n",
".facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.75rem 0}"
".facts dt,.advice dt{color:var(--muted)}.facts dd,.advice dd{margin:0}\n",
".badge{display:inline-block;border:1px solid currentColor;border-radius:3px;padding:0 .4em;font-size:.85rem;"
"font-weight:600;white-space:nowrap}\n",
".badge.error,.count.error,.bad{color:var(--error)}.badge.warning,.count.warning{color:var(--warning)}"
".badge.note,.count.note{color:var(--note)}.badge.good{color:var(--good)}.badge.waived,.count.waived"
"{color:var(--waived)}.badge.plain{color:var(--muted)}.count{font-weight:600;margin-right:.5em}.bad{font-weight:600}\n",
".of{color:var(--muted);font-weight:400}\n",
".folder{color:var(--muted)}.path b{font-weight:600}\n",
"h2 .path{font-size:1em}h2 .folder{font-weight:400}\n",
".images{table-layout:fixed;min-width:46rem}.images th:first-child{width:36%}.images th:nth-child(2){width:10.75rem}"
".images th:nth-child(3){width:8rem}.images th:nth-child(4){width:8.5rem}.images.clean th:first-child{width:auto}\n",
".waivers .name{font-weight:600}td code{white-space:nowrap}td{overflow-wrap:anywhere}\n",
".waivers{table-layout:fixed}.waivers th:first-child{width:32%}.waivers th:nth-child(3){width:22%}"
".waivers th:nth-child(4){width:11rem}\n",
".moves,.differences{min-width:46rem}.differences td:first-child,.moves td:nth-child(2),.moves td:nth-child(5){min-width:8.5rem}\n",
".legend{margin:1.5rem 0}.legend summary{cursor:pointer;color:var(--link)}.legend ul{list-style:none;padding:0;"
"columns:20rem;column-gap:2rem}.legend li{break-inside:avoid;margin:.35rem 0}\n",
".key,.number{display:inline-block;text-align:center;font-weight:700;color:var(--on);background:var(--r-key);"
"border-radius:3px;min-width:2.8rem;padding:0 .3rem}.key.rw{background:var(--rw-key)}.key.rx{background:var(--rx-key)}"
".key.wx{background:var(--wx-key)}\n",
".number{min-width:1.4rem;border-radius:1rem;background:var(--go);font-size:.85rem}.squares{letter-spacing:.1em;"
"color:var(--muted)}\n",
".image{border-top:2px solid var(--line);margin-top:3rem;content-visibility:auto;contain-intrinsic-size:auto 60rem}\n",
".image>h2{margin-top:1.25rem}\n",
".finding,.change{border:1px solid var(--line);border-left:4px solid var(--muted);border-radius:4px;"
"background:var(--panel);padding:.6rem .9rem;margin:.75rem 0}\n",
".finding.error{border-left-color:var(--error)}.finding.warning{border-left-color:var(--warning)}"
".finding.note{border-left-color:var(--note)}.finding.good{border-left-color:var(--good)}"
".finding.waived{border-left-color:var(--waived)}\n",
".place{color:var(--muted);margin:.1rem 0}\n",
".evidence{margin:.25rem 0;padding-left:1.2rem}\n",
".message~.message{border-top:1px dashed var(--line);padding-top:.5rem;margin-top:.6rem}\n",
".waiver{border-left:3px solid var(--waived);padding:.1rem .75rem;margin:.4rem 0}.waiver b{color:var(--waived)}\n",
".advice{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:.5rem 0 0}\n",
".back,footer{font-size:.9rem;color:var(--muted)}footer{border-top:1px solid var(--line);margin-top:3rem}\n",
/* The pictures. */
"svg{display:block;width:100%;min-width:42rem;height:auto;margin:1rem 0;"
"font-family:system-ui,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif}\n",
"svg text{white-space:pre;fill:var(--fg);font-size:12px}\n",
"svg .hd{font-size:13px;font-weight:700;fill:var(--muted)}svg .in{fill:var(--muted)}\n",
"svg .le,svg .na,svg .ad,svg .co,svg .was{font-family:ui-monospace,SFMono-Regular,Consolas,\"DejaVu Sans Mono\",monospace}\n",
"svg .le{font-size:15px;font-weight:700;text-anchor:middle;fill:var(--on)}"
"svg .was{font-size:9px;text-anchor:middle;fill:var(--on)}\n",
"svg .na{font-size:13px;font-weight:600}svg .ad,svg .pg{font-size:10.5px;fill:var(--muted)}svg .pg{text-anchor:end}\n",
"svg .co{font-size:11px;font-weight:700;fill:var(--error)}svg .nt{fill:var(--note)}\n",
"svg .bk{stroke-width:1}svg .sq{fill:none;stroke-width:5;stroke-dasharray:5 2}\n",
".r .bk{fill:var(--r);stroke:var(--r-key)}.r .ky{fill:var(--r-key)}.r .sq{stroke:var(--r-key)}\n",
".rw .bk{fill:var(--rw);stroke:var(--rw-key)}.rw .ky{fill:var(--rw-key)}.rw .sq{stroke:var(--rw-key)}\n",
".rx .bk{fill:var(--rx);stroke:var(--rx-key)}.rx .ky{fill:var(--rx-key)}.rx .sq{stroke:var(--rx-key)}\n",
".wx .bk{fill:var(--wx);stroke:var(--wx-key);stroke-width:2}.wx .ky{fill:var(--wx-key)}.wx .sq{stroke:var(--wx-key)}\n",
".mix .bk{fill:var(--mix);stroke:var(--mix-key);stroke-dasharray:6 3}.mix .ky{fill:var(--mix-key)}"
".mix .le,.wx.many .le{font-size:12px}.mix .sq{stroke:var(--mix-key)}\n",
".none .bk{fill:none;stroke:var(--r-key);stroke-dasharray:4 3}.none .ky{fill:var(--r-key)}.none .sq{stroke:var(--r-key)}\n",
".new .bk{stroke-width:2.5}\n",
"svg .stay{fill:var(--stay);opacity:.22}svg .go{fill:var(--go);opacity:.45}svg .no{fill:var(--go)}"
"svg .nu{font-size:11px;font-weight:700;text-anchor:middle;fill:var(--on)}\n",
/* Narrow screens: names above values. */
"@media screen and (max-width:40rem){html{font-size:15px}body{padding:1rem .8rem 2rem}.facts,.advice"
"{grid-template-columns:1fr;gap:0}.facts dd,.advice dd{margin-bottom:.35rem}"
".images,.waivers{display:block;min-width:0}.images thead,.waivers thead{display:none}.images tbody,.waivers tbody,"
".images tr,.waivers tr{display:block}.images tr,.waivers tr{border-bottom:1px solid var(--line);padding:.4rem 0}"
".images td,.waivers td{display:inline-block;border:0;padding:.1rem .8rem .1rem 0}.images td:first-child,"
".images td:last-child,.waivers td{display:block}.images td:empty{display:none}"
".waivers td:nth-child(3)::before{content:\"Owner: \"}.waivers .day::before{content:\"Until \"}}\n",
/* Paper: all that is folded is open. */
"@page{margin:14mm 12mm}\n",
"@media print{html{font-size:10pt}body{max-width:none;padding:0}table{min-width:0!important}svg{min-width:0;max-height:240mm}.scroll{overflow:visible}"
".image{content-visibility:visible}.back{display:none}h2,h3,h4{break-after:avoid}figure,.finding,.change,tr,.facts"
"{break-inside:avoid}thead{display:table-header-group}.legend::details-content{content-visibility:visible;"
"display:block;height:auto}.tiles li,.key,.number,.finding,.change{print-color-adjust:exact;"
"-webkit-print-color-adjust:exact}a{color:inherit;text-decoration:none}}\n",
    NULL};
/* clang-format on */
