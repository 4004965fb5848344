import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import type { State, User } from '../state.ts';

/** A piece of a page; values in templates are escaped by `html`. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

const style = `
:root{color-scheme:light dark;--bg:#fbfafd;--card:#fff;--text:#28272d;--quiet:#626168;--line:#dcdcde;--accent:#6b4fbb;--ok:#108548;--okbg:#e3f5ea;--bad:#c91c00;--badbg:#fce6e2;--run:#1068bf;--runbg:#e2effb;--wait:#995d09;--waitbg:#fbf0da;--off:#626168;--offbg:#ececef}
@media (prefers-color-scheme:dark){:root{--bg:#18171d;--card:#22212a;--text:#ececef;--quiet:#a4a3a8;--line:#3a383f;--accent:#b5a2f5;--ok:#52b87a;--okbg:#14321f;--bad:#f57f6c;--badbg:#4a1a12;--run:#63a6e9;--runbg:#122f4c;--wait:#d99530;--waitbg:#3f2b0c;--off:#a4a3a8;--offbg:#333238}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:14px/1.5 system-ui,"Segoe UI","Noto Sans",sans-serif}
a{color:inherit;text-decoration:none}a:hover{text-decoration:underline}
header{display:flex;gap:12px;align-items:center;padding:10px 24px;background:var(--card);border-bottom:1px solid var(--line);position:sticky;top:0;z-index:1}
header b{color:var(--accent);font-size:16px}header nav{display:flex;gap:6px;color:var(--quiet)}
main{max-width:1180px;margin:0 auto;padding:20px 24px 60px}
h1{font-size:22px;margin:4px 0 2px}h2{font-size:15px;margin:28px 0 8px}p.quiet,.quiet{color:var(--quiet)}
.tabs{display:flex;gap:18px;border-bottom:1px solid var(--line);margin:12px 0 18px}.tabs a{padding:8px 0;color:var(--quiet)}.tabs a.on{color:var(--text);font-weight:600;border-bottom:2px solid var(--accent)}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;overflow:hidden}
.row{display:flex;gap:12px;align-items:center;padding:10px 14px;border-top:1px solid var(--line)}.row:first-child{border-top:0}
.grow{flex:1;min-width:0}.row .title{font-weight:600;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;display:block}
.mono{font:12px/1.5 ui-monospace,"DejaVu Sans Mono",monospace}
.pill{display:inline-flex;gap:5px;align-items:center;padding:1px 9px 1px 7px;border-radius:99px;font-size:12px;white-space:nowrap;font-weight:500}
.dot{width:8px;height:8px;border-radius:50%;background:currentColor;flex:none}
.ok{color:var(--ok);background:var(--okbg)}.bad{color:var(--bad);background:var(--badbg)}.run{color:var(--run);background:var(--runbg)}.wait{color:var(--wait);background:var(--waitbg)}.off{color:var(--off);background:var(--offbg)}
.run .dot{animation:pulse 1.2s infinite}@keyframes pulse{50%{opacity:.25}}
.statuses{display:flex;flex-direction:column;gap:4px;margin-top:6px}.status{display:flex;gap:8px;align-items:baseline;flex-wrap:wrap}
.stages{display:flex;gap:16px;overflow-x:auto;padding:16px;align-items:flex-start}.stage{min-width:220px;max-width:380px}.stage h3{font-size:13px;margin:0 0 8px;color:var(--quiet);font-weight:600}
.job{display:block;border:1px solid var(--line);border-radius:6px;padding:8px 10px;margin-bottom:8px;background:var(--bg)}.job .name{font-weight:600;display:block;margin-top:4px;overflow-wrap:anywhere}.job .quiet{font-size:12px;display:block;overflow-wrap:anywhere}
pre.log{background:#111016;color:#e6e4ee;border-radius:8px;padding:14px 16px;overflow-x:auto;font:12px/1.6 ui-monospace,"DejaVu Sans Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
table{width:100%;border-collapse:collapse}td,th{text-align:left;padding:8px 14px;border-top:1px solid var(--line);vertical-align:top}tr:first-child>*{border-top:0}th{color:var(--quiet);font-weight:500;font-size:12px}
.widget{border:1px solid var(--line);border-radius:8px;background:var(--card);margin:14px 0}.widget>div{padding:12px 14px;border-top:1px solid var(--line)}.widget>div:first-child{border-top:0}
.message{white-space:pre-wrap;overflow-wrap:anywhere}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:14px}.tile{padding:14px 16px}
`;

const groups: Readonly<Record<string, string>> = {
  success: 'ok',
  merged: 'ok',
  failed: 'bad',
  closed: 'bad',
  running: 'run',
  opened: 'run',
  canceling: 'wait',
  pending: 'wait',
  waiting_for_resource: 'wait',
  created: 'off',
};

/** A state as a coloured word. */
export function pill(state: string, warning = false): Html {
  const kind = warning && state === 'failed' ? 'wait' : (groups[state] ?? 'off');
  const words = warning && state === 'failed' ? 'warning' : state.replaceAll('_', ' ');
  return html`<span class="pill ${kind}" data-status="${state}"><span class="dot"></span>${words}</span>`;
}

/** `3 min ago`-like age, from two times in milliseconds. */
export function age(now: number, iso: string): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(iso)) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3600)} h ago`;
}

/** `12 s` between two times, or nothing. */
export function duration(from: string | null, to: string | null): string {
  if (!from || !to) return '';
  return `${((Date.parse(to) - Date.parse(from)) / 1000).toFixed(1)} s`;
}

/** Name of a user, and that it is a bot. */
export function person(user: User): Html {
  return html`<span title="${user.username}"
    >${user.name}${user.bot ? html` <span class="quiet">(bot)</span>` : ''}</span
  >`;
}

/** A whole page. `trail` is [text, address] from the top; `busy`: it reloads while something runs. */
export function layout(
  _state: State,
  fields: {
    readonly title: string;
    readonly trail: readonly (readonly [string, string])[];
    readonly busy?: boolean;
    readonly body: Html;
  },
): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        ${fields.busy ? raw('<meta http-equiv="refresh" content="2">') : ''}
        <title>${fields.title} · GitLab (simulated)</title>
        <style>
          ${raw(style)}
        </style>
      </head>
      <body>
        <header>
          <b><a href="/">GitLab</a></b
          ><span class="pill off">simulated</span>
          <nav>${fields.trail.map(([text, address]) => html`<span>/</span><a href="${address}">${text}</a>`)}</nav>
        </header>
        <main>${fields.body}</main>
      </body>
    </html>`;
}
