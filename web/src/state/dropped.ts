// Files that were dropped or chosen, on their way to the editor.
import type { Problem } from '../api/client';
import { createStore } from './store';

export interface SourceFile {
  name: string;
  text: string;
}

/** As the server has it. */
export const FILE_BYTES_MAX = 1 << 20;
const FILES_MAX = 50;

export const dropped = createStore<readonly SourceFile[]>([]);

export function isWorkflowName(name: string): boolean {
  return /\.(ya?ml|json)$/i.test(name);
}

/** Reads what was dropped: files, and the files of folders. */
export async function readFiles(transfer: Pick<DataTransfer, 'items' | 'files'>): Promise<{ files: SourceFile[]; problem?: Problem }> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const hasFolder = entries.some((entry) => entry?.isDirectory);
  // the list is emptied as soon as this function waits
  const plain = [...transfer.files];
  const found = hasFolder ? (await Promise.all(entries.map((entry) => filesOf(entry)))).flat() : plain;
  return readAll(found);
}

export async function readAll(found: readonly File[]): Promise<{ files: SourceFile[]; problem?: Problem }> {
  const wanted = found.filter((file) => isWorkflowName(file.name)).slice(0, FILES_MAX);
  const small = wanted.filter((file) => file.size <= FILE_BYTES_MAX);
  const files = await Promise.all(small.map(async (file) => ({ name: file.name, text: await file.text() })));
  if (small.length < wanted.length) {
    return { files, problem: { code: 'TOO_LARGE', message: 'A workflow file has at most 1 MiB; larger ones were left out.' } };
  }
  if (wanted.length === 0) {
    return { files, problem: { code: 'INPUT_INVALID', message: 'Drop files that end in .yaml, .yml or .json.' } };
  }
  return { files };
}

async function filesOf(entry: FileSystemEntry | null): Promise<File[]> {
  if (entry?.isFile) {
    return [await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))];
  }
  if (!entry?.isDirectory) return [];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const children = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
  return (await Promise.all(children.map((child) => filesOf(child)))).flat();
}
