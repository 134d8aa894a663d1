import { chmod } from 'node:fs/promises'

/** Does something while nobody may look into a file or folder: as root, to whom nothing is denied, as another user. */
export async function withoutPermission<T>(path: string, work: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0
  await chmod(path, 0)
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    return await work()
  } finally {
    if (isRoot) process.seteuid?.(0)
    await chmod(path, 0o755)
  }
}

export const NOBODY = 65_534
