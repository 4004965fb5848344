import { isMap } from 'yaml';
import { ownPair } from './document.ts';
import type { ManifestFile } from './document.ts';

/**
 * Why the file must not be touched, or null. SOPS's MAC covers the plain values too, so any edit makes Flux refuse the
 * file (https://getsops.io/docs/#message-authentication-code).
 */
export function encryptionOf(file: ManifestFile): string | null {
  for (const { root } of file.documents) {
    const sops = isMap(root) ? ownPair(root, 'sops')?.value : null;
    if (isMap(sops) && ['mac', 'lastmodified', 'version'].some((key) => ownPair(sops, key))) {
      return 'the file is encrypted with SOPS, whose MAC covers plain values too';
    }
  }
  return null;
}

/** As `encryptionOf`, for key=value files. */
export function encryptionOfText(text: string): string | null {
  return /^sops_(?:mac|version|lastmodified)=/m.test(text)
    ? 'the file is encrypted with SOPS, whose MAC covers plain values too'
    : null;
}
