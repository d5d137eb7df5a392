// Replaces every file of the build by its gzip form: the binary embeds and serves only that.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const files = await readdir('dist', { recursive: true, withFileTypes: true });
let bytes = 0;
for (const file of files.filter((entry) => entry.isFile() && !entry.name.endsWith('.gz'))) {
  const path = join(file.parentPath, file.name);
  const packed = gzipSync(await readFile(path), { level: 9 });
  await writeFile(`${path}.gz`, packed);
  await rm(path);
  bytes += packed.length;
}
console.log(`dist: ${(bytes / 1e6).toFixed(2)} MB compressed`);
