import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../node/files.ts'
import type { ArtData } from './art/source.ts'
import type { PretrainRun } from './pretrain.ts'
import { saveOpenClip } from './save.ts'
import { type PretrainSettings, smallClipConfig } from './settings.ts'
import { weightsOf } from './state.ts'

/** Writes the trained model in the OpenCLIP layout, float16. */
export async function exportModel(
  run: PretrainRun,
  art: ArtData,
  settings: PretrainSettings,
  folder: string,
): Promise<void> {
  const config = smallClipConfig(settings, art.tables.vocab.size)
  const files = saveOpenClip(config, weightsOf(run.state, run.step.parameters), art.tables, { dtype: 'float16' })
  await mkdir(folder, { recursive: true })
  for (const [name, content] of files) await writeFileAtomic(join(folder, name), content)
}
