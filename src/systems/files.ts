import type { StagedFile } from './file-staging.ts';

/** Local files. Paths are absolute or relative to the working folder that was handed in. */
export interface Files {
  /** Absolute path of the working folder. */
  readonly folder: string;
  /** Content, or null where there is no such file. Rejects with `Fault` `file_unreadable`. */
  read(path: string): Promise<Uint8Array | null>;
  /**
   * Writes the whole file, or nothing (temporary file and rename), keeping its mode and owner; a link stays, its file
   * changes.
   */
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** `write` in two steps: for several files that change together. */
  stage(path: string, content: string | Uint8Array): Promise<StagedFile>;
  /** As `write`, from a stream: memory stays flat however much comes. */
  writeStream(path: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** Moves a file of this folder's file system; its folder is made. */
  rename(from: string, to: string): Promise<void>;
  /** Makes a symbolic link. */
  link(path: string, target: string): Promise<void>;
  /**
   * Files below a folder, recursively (not .git, nothing behind links), paths as given + '/' + relative, sorted; null
   * where it is no folder. Rejects with `Fault` `file_unreadable`, for a pipe, socket or device too: reading may not end.
   */
  list(path: string): Promise<readonly string[] | null>;
  /** A new private temporary folder, removed on disposal. */
  temporary(prefix: string): Promise<{ readonly path: string } & AsyncDisposable>;
}
