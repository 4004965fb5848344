import { Fault } from '../fault.ts';
import type { Registry } from '../systems/registry.ts';
import type { ImageChange } from './change.ts';
import { fullName } from './image.ts';

/** Where an image is pulled from: its new name, else its own, without tag. */
function repositoryOf(image: ImageChange): string {
  return image.newName ?? image.name;
}

/** Does the name say which registry holds it? A bare name may be a placeholder of the manifests. */
export function namesRegistry(image: ImageChange): boolean {
  return fullName(repositoryOf(image)) === repositoryOf(image);
}

/**
 * Digest under which the registry holds the image. Faults: `image_missing`; `token_refused` and
 * `registry_unavailable`, with a hint at --no-verify-image.
 */
export async function lookUp(registry: Registry, image: ImageChange, signal: AbortSignal): Promise<string> {
  const repository = fullName(repositoryOf(image));
  const reference = image.digest ?? image.tag ?? 'latest';
  let digest: string | null;
  try {
    digest = await registry.resolve(repository, reference, signal);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(error.code, `looking up ${repository}: ${error.message}`, {
      hint: `${error.hint} Or pass --no-verify-image to deliver without looking.`,
    });
  }
  if (digest !== null) return digest;
  throw new Fault('image_missing', `${repository} has no ${image.digest ? 'digest' : 'tag'} ${reference}`);
}

/** The images with what `pin` needs: `digest` and `both` resolve the tag in its registry, once for each image. Faults as `lookUp`. */
export function pinImages(
  images: readonly ImageChange[],
  pin: 'tag' | 'digest' | 'both' | null,
  resolve: (image: ImageChange) => Promise<string>,
): Promise<readonly ImageChange[]> {
  if (pin === 'tag' || pin === null) return Promise.resolve(images);
  return Promise.all(
    images.map(async (image) => {
      if (image.digest !== undefined || image.tag === undefined) return image;
      return { ...image, digest: await resolve(image) };
    }),
  );
}
