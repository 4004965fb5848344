/** A weekly window in which deliveries may move. Minutes count from midnight; `to` may be 1440; `from` > `to` runs over midnight. */
export interface Window {
  /** 0 = Sunday … 6 = Saturday; the day on which the window opens. */
  readonly days: readonly number[];
  readonly from: number;
  readonly to: number;
  readonly zone: string;
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const GRAMMAR =
  /^\s*(?<days>[A-Za-z,-]+)\s+(?<fromHour>\d{1,2}):(?<fromMinute>\d{2})-(?<toHour>\d{1,2}):(?<toMinute>\d{2})(?:\s+(?<zone>[A-Za-z0-9_+/-]+))?\s*$/;

/** Reads "Mon-Fri 08:00-16:00 Europe/Vienna" (zone default UTC; days also "Mon,Wed" and "Daily"). */
export function readWindow(text: string): Window | { readonly fault: string } {
  const groups = GRAMMAR.exec(text)?.groups;
  if (!groups) return { fault: 'must look like "Mon-Fri 08:00-16:00 Europe/Vienna"' };
  const days = readDays(groups['days']!);
  if (days === undefined) return { fault: `"${groups['days']}" are no days (Mon, Tue, …, Mon-Fri, Mon,Wed, Daily)` };
  const from = Number(groups['fromHour']) * 60 + Number(groups['fromMinute']);
  const to = Number(groups['toHour']) * 60 + Number(groups['toMinute']);
  if (from >= 1440 || to > 1440 || Number(groups['fromMinute']) > 59 || Number(groups['toMinute']) > 59 || from === to)
    return { fault: 'has no valid times (00:00 to 24:00)' };
  const zone = groups['zone'] ?? 'UTC';
  if (!isTimeZone(zone)) return { fault: `"${zone}" is no time zone (IANA name such as Europe/Vienna)` };
  return { days, from, to, zone };
}

/** Is the window open at this moment (milliseconds since the epoch)? */
export function isOpen(window: Window, at: number): boolean {
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat('en-US', {
      timeZone: window.zone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  );
  const day = DAYS.indexOf(parts['weekday']!.toLowerCase());
  const minute = Number(parts['hour']) * 60 + Number(parts['minute']);
  if (window.from < window.to) return window.days.includes(day) && minute >= window.from && minute < window.to;
  return (
    (window.days.includes(day) && minute >= window.from) || (window.days.includes((day + 6) % 7) && minute < window.to)
  );
}

function readDays(text: string): number[] | undefined {
  if (/^daily$/i.test(text)) return [0, 1, 2, 3, 4, 5, 6];
  const days: number[] = [];
  for (const part of text.split(',')) {
    const [first, last, ...more] = part.split('-').map((name) => DAYS.indexOf(name.slice(0, 3).toLowerCase()));
    if (first === undefined || first < 0 || last === -1 || more.length > 0) return undefined;
    for (let day = first; ; day = (day + 1) % 7) {
      days.push(day);
      if (day === (last ?? first)) break;
    }
  }
  return [...new Set(days)];
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
