import { loadClip } from '../clip/load.ts'
import type { Clip } from '../clip/types.ts'
import { folderModelFiles } from '../node/files.ts'
import { bundledModel } from '../node/package.ts'

/** The CLIP in models/, which some benches are about. */
export const bundledClip = (): Promise<Clip> => loadClip(folderModelFiles(bundledModel()))
