import type { Environment } from '../config/config.ts';
import { isOpen, readWindow } from '../config/window.ts';

/** Why nothing may move now, in one sentence; null: the gates are open. `now` in milliseconds since the epoch. */
export function closedGate(environment: Environment, now: number, deployFreeze: boolean): string | null {
  if (deployFreeze) return 'a deploy freeze is on (CI_DEPLOY_FREEZE)';
  const windows = environment.gates?.windows ?? [];
  const open = windows.some((text) => {
    const window = readWindow(text);
    return !('fault' in window) && isOpen(window, now);
  });
  return windows.length === 0 || open ? null : `outside the windows of ${environment.name} (${windows.join(', ')})`;
}
