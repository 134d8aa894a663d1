import { loadClip } from '../src/clip/load.ts'
import type { Clip } from '../src/clip/types.ts'
import { folderModelFiles } from '../src/node/files.ts'
import { bundledModel } from '../src/node/package.ts'

/** The CLIP in models/, which some benches are about. */
export const bundledClip = (): Promise<Clip> => loadClip(folderModelFiles(bundledModel()))
