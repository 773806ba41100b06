/*
 * The style and the script of the HTML page. The colours of plots (--p0 ink, --p1 grid, --p2 fault,
 * --p3 alert, --p4 objective, --p10 to --p17 series) are set for light, dark and print.
 * The series colours are Okabe and Ito's, told apart by colour-blind readers, darkened for white
 * paper.
 */
#ifndef MURPHY_REPORTS_HTML_STYLE_H
#define MURPHY_REPORTS_HTML_STYLE_H

#define HTML_STYLE_COLOURS                                                                         \
    ":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1a2029;--soft:#5a6472;"         \
    "--line:#dfe3e8;--good:#0a7a43;--goodbg:#e2f4ea;--bad:#b3211d;--badbg:#fdeae8;"                \
    "--warn:#8a5a00;--warnbg:#fdf1d8;--code:#eef1f4;--accent:#1f5fbf;"                             \
    "--p0:#5a6472;--p1:#dfe3e8;--p2:#d9480f;--p3:#7b3fb5;--p4:#b3211d;"                            \
    "--p10:#0063a8;--p11:#c35c00;--p12:#00805c;--p13:#b3488a;--p14:#3d8fc4;--p15:#8a7400;"         \
    "--p16:#55606e;--p17:#7a4a1e}"                                                                 \
    "@media screen and (prefers-color-scheme:dark){:root{--bg:#11151b;--card:#191f27;"             \
    "--ink:#e4e8ee;--soft:#9ba6b4;--line:#2d3641;--good:#5fd59a;--goodbg:#133525;"                 \
    "--bad:#ff8a80;--badbg:#421a1a;--warn:#f2bf5e;--warnbg:#3b2d10;--code:#222a34;"                \
    "--accent:#7fb2ff;--p0:#9ba6b4;--p1:#2d3641;--p2:#ff8a4c;--p3:#c39bf0;--p4:#ff8a80;"           \
    "--p10:#56b4e9;--p11:#f0a040;--p12:#3ecf9f;--p13:#e58fc0;--p14:#9fc8ff;--p15:#e8d44a;"         \
    "--p16:#aab4c0;--p17:#d0a070}}"

#define HTML_STYLE_TEXT                                                                            \
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}"                                  \
    "body{margin:0;background:var(--bg);color:var(--ink);"                                         \
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif}"        \
    "main,header,footer{max-width:1216px;margin:0 auto;padding:0 24px}"                            \
    "h1{font-size:26px;line-height:1.25;margin:0;overflow-wrap:anywhere}"                          \
    "h2{font-size:18px;margin:0 0 12px}h3{font-size:15px;margin:20px 0 6px}"                       \
    "p{margin:6px 0}a{color:var(--accent)}"                                                        \
    "section{background:var(--card);border:1px solid var(--line);border-radius:10px;"              \
    "padding:18px 22px;margin:16px 0}"                                                             \
    "code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',monospace;"   \
    "font-size:13px}"                                                                              \
    "pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}"                                    \
    ".soft{color:var(--soft)}.none{color:var(--soft);margin:0}"                                    \
    ".tag{display:inline-block;padding:0 8px;border-radius:9px;font-size:12px;line-height:19px;"   \
    "font-weight:600;white-space:nowrap}"                                                          \
    ".good{color:var(--good);background:var(--goodbg)}"                                            \
    ".plain{background:var(--line)}"                                                               \
    ".bad{color:var(--bad);background:var(--badbg)}"                                               \
    ".warn{color:var(--warn);background:var(--warnbg)}"

#define HTML_STYLE_TOP                                                                             \
    "header{padding-top:24px}"                                                                     \
    ".verdict{display:flex;gap:16px;align-items:flex-start;flex-wrap:wrap}"                        \
    ".verdict>div{flex:1 1 420px;min-width:0}"                                                     \
    ".pill{font-size:24px;font-weight:800;letter-spacing:.04em;line-height:1;padding:12px 18px;"   \
    "border-radius:10px;border:2px solid currentColor;white-space:nowrap}"                         \
    ".head{font-size:17px;margin:6px 0 0;font-weight:600}"                                         \
    ".cmd{display:flex;gap:8px;align-items:stretch;margin:16px 0 0}"                               \
    ".cmd code{flex:1;min-width:0;background:var(--code);border:1px solid var(--line);"            \
    "border-radius:8px;padding:9px 12px;overflow-wrap:anywhere}"                                   \
    "button{font:inherit;font-size:13px;color:var(--ink);background:var(--card);"                  \
    "border:1px solid var(--line);border-radius:8px;padding:4px 12px;cursor:pointer}"              \
    "button[aria-pressed=true]{border-color:var(--accent);color:var(--accent);font-weight:600}"    \
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(148px,1fr));gap:10px;"       \
    "margin:16px 0 0;padding:0}"                                                                   \
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;"                \
    "padding:10px 12px;min-width:0}"                                                               \
    ".tile dt{font-size:12px;color:var(--soft)}"                                                   \
    ".tile dd{margin:0;font-size:19px;font-weight:700;line-height:1.3;white-space:nowrap;"         \
    "overflow:hidden;text-overflow:ellipsis}"                                                      \
    ".tile "                                                                                       \
    "dd.sub{font-size:12px;font-weight:400;white-space:normal;overflow-wrap:anywhere;color:var(--" \
    "soft)}"                                                                                       \
    ".tile.isbad dd:nth-of-type(1){color:var(--bad)}"                                              \
    ".tile.isgood dd:nth-of-type(1){color:var(--good)}"                                            \
    ".tile.iswarn dd:nth-of-type(1){color:var(--warn)}"                                            \
    "nav{margin:14px 0 0;font-size:13px;display:flex;flex-wrap:wrap;gap:4px 16px}"

#define HTML_STYLE_TABLES                                                                          \
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}"            \
    "caption{text-align:left;color:var(--soft);font-size:13px;padding:0 0 6px}"                    \
    "caption span{display:inline-block;max-width:min(100%,calc(100vw - 56px))}"                    \
    "th,td{text-align:left;vertical-align:top;padding:6px 14px 6px 0;"                             \
    "border-bottom:1px solid var(--line)}"                                                         \
    "th{font-size:12px;color:var(--soft);font-weight:600;white-space:nowrap}"                      \
    "tbody th{font-size:14px;color:var(--ink);font-weight:600}"                                    \
    "tbody tr:last-child>*{border-bottom:0}"                                                       \
    "td.num,th.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"         \
    "tr.zero td,tr.zero th{color:var(--soft);font-weight:400}"                                     \
    "td.wide .bar{margin:7px 0}td.wide .bar.naked{margin:3px "                                     \
    "0}.note{color:var(--soft);font-size:13px}"                                                    \
    "td.wide{width:32%;min-width:120px}.name{overflow-wrap:anywhere;min-width:120px}"              \
    ".bar{display:block;height:8px;border-radius:4px;margin:3px 0;background:var(--line);"         \
    "overflow:hidden}.bar>i{display:block;height:100%;border-radius:4px}"                          \
    ".bar.naked{background:none}"                                                                  \
    ".fillgood{background:var(--good)}.fillbad{background:var(--bad)}"                             \
    ".fillwarn{background:var(--p2)}.fillsoft{background:var(--soft)}"                             \
    ".problem{border-left:4px solid var(--bad);padding:2px 0 2px 14px;margin:0 0 20px}"            \
    ".problem.unknown{border-color:var(--warn)}.problem:last-child{margin-bottom:0}"               \
    ".problem h3{margin:0 0 4px;font-size:16px;overflow-wrap:anywhere}"                            \
    ".problem h3 .soft{font-weight:400;font-size:13px}"                                            \
    ".facts{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:0}"             \
    ".facts dt{color:var(--soft)}.facts dd{margin:0;min-width:0;overflow-wrap:anywhere}"           \
    ".evidence{background:var(--code);border-radius:8px;padding:10px 12px;margin:8px 0 0}"         \
    "details summary{cursor:pointer;color:var(--accent);font-size:13px}"                           \
    ".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:8px 32px}"    \
    ".pair>div{min-width:0}"                                                                       \
    ".filter{display:flex;flex-wrap:wrap;gap:8px;margin:0 0 10px}"

#define HTML_STYLE_PLOTS                                                                           \
    ".plot svg{display:block;width:100%;height:auto}.plot text{font-family:inherit}"               \
    ".narrow{display:none}"                                                                        \
    ".legend{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:13px;margin:4px 0 8px;padding:0;"  \
    "list-style:none}"                                                                             \
    ".key{margin-right:14px}.legend i,.key "                                                       \
    "i{display:inline-block;width:16px;height:4px;border-radius:2px;margin-right:6px;"             \
    "vertical-align:middle}"                                                                       \
    ".legend i.block{height:10px;opacity:.85}"                                                     \
    "footer{color:var(--soft);font-size:13px;padding-bottom:32px}"                                 \
    "@media(max-width:640px){main,header,footer{padding-left:12px;padding-right:12px}"             \
    "section{padding:14px 14px;border-radius:8px}h1{font-size:21px}.head{font-size:15px}"          \
    ".wideplot{display:none}.narrow{display:block}.tiles{grid-template-columns:1fr 1fr;gap:8px}"   \
    ".tile dd{font-size:17px}.cmd{flex-direction:column}"                                          \
    ".pair{grid-template-columns:1fr}.scroll td:last-child:not(.num){min-width:150px}"             \
    "td.soft{min-width:130px}.more{display:none}table,tbody "                                      \
    "th{font-size:13px}th,td{padding-right:10px}.name{min-width:0}"                                \
    ".facts{grid-template-columns:1fr}.facts dd{margin-bottom:4px}}"                               \
    "@media print{:root{--bg:#fff;--code:#f4f4f4}body{font-size:11px}"                             \
    "section{break-inside:auto;border:0;border-top:1px solid #bbb;border-radius:0;padding:10px 0}" \
    ".scroll{overflow:visible}table,tbody th,th{font-size:9.5px}th,td{padding:3px 8px 3px "        \
    "0}tr,.problem,.plot{break-inside:avoid}nav,button,.filter{display:none}"                      \
    "main,header,footer{max-width:none;padding:0}.bar>i,.tag,.pill,.legend i,.key i{"              \
    "print-color-adjust:exact;-webkit-print-color-adjust:exact}}"

/* Buttons exist only where the script runs. */
#define HTML_SCRIPT                                                                                \
    "(function(){var d=document,c=d.getElementById('command');"                                    \
    "function button(text,parent,f){var b=d.createElement('button');b.type='button';"              \
    "b.textContent=text;b.addEventListener('click',function(){f(b)});parent.appendChild(b);"       \
    "return b}"                                                                                    \
    "if(c&&navigator.clipboard)button('Copy',c.parentNode,function(b){"                            \
    "navigator.clipboard.writeText(c.textContent).then(function(){b.textContent='Copied'})});"     \
    "var f=d.getElementById('filter');if(!f)return;var all=[];"                                    \
    "function show(s,b){d.querySelectorAll('#checks tbody tr').forEach(function(r){"               \
    "r.hidden=s!==''&&r.dataset.status!==s});all.forEach(function(x){"                             \
    "x.setAttribute('aria-pressed',x===b)})}"                                                      \
    "[['All',''],['Failed','fail'],['No data','no_data'],['Passed','pass']].forEach("              \
    "function(p){var n=d.querySelectorAll('#checks tbody tr'+(p[1]?'[data-status='+p[1]+']':''))"  \
    ".length;all.push(button(p[0]+' '+n,f,function(b){show(p[1],b)}))});"                          \
    "all[0].setAttribute('aria-pressed',true);"                                                    \
    "window.addEventListener('beforeprint',function(){d.querySelectorAll('details').forEach("      \
    "function(x){x.open=true})})})();"

#endif
