import { basename, resolve } from 'node:path'
import { architectureOf } from '../clip/known-models.ts'
import type { Clip } from '../clip/types.ts'
import { DEFAULT_TEMPLATES } from '../methods/zero-shot/templates.ts'
import { writeFileAtomic } from '../node/files.ts'
import { type SavedLearned, type UsedModel, writeLearned } from '../trained/learned.ts'
import { environmentOf } from './environment.ts'
import { rememberedModel } from './model-word.ts'
import { beginRun, clearRun, finishRun, runFile } from './run-folder.ts'

/** What was found in a file of another program. */
export interface Imported
  extends Pick<SavedLearned, 'method' | 'settings' | 'classNames' | 'transforms' | 'exif' | 'trust' | 'tensors'> {
  readonly clip: Clip
  readonly model: UsedModel
  /** Where it comes from, for the record. */
  readonly facts: Readonly<Record<string, unknown>>
}

/** Writes a run of it. Nothing has been measured: coop-ts evaluate does. */
export async function saveImported(
  file: string,
  { out, data, model: word }: { readonly out: string; readonly data?: string; readonly model: string },
  { clip, model, facts, ...found }: Imported,
): Promise<void> {
  const { method, settings, classNames, transforms, exif } = found
  await clearRun(out)
  const about = { model: clip.fingerprint, classNames, transforms, exif, ...facts }
  await beginRun(out, { method: method.name, settings, ...about })
  const saved = {
    ...found,
    templates: DEFAULT_TEMPLATES,
    model: rememberedModel(model, out, clip.fingerprint),
    split: 'all' as const,
  }
  await writeFileAtomic(runFile(out, 'learned'), await writeLearned(saved))
  await finishRun(out, {
    id: basename(resolve(out)),
    dataset: data ?? basename(file),
    classes: classNames.length,
    split: 'all',
    method: method.name,
    title: method.title(settings),
    settings,
    shots: 0,
    seed: 0,
    model: { name: word, fingerprint: clip.fingerprint, architecture: architectureOf(clip.config) },
    transforms,
    views: 0,
    accuracy: null,
    zeroShot: null,
    elsewhere: {},
    facts,
    loss: null,
    collapsed: false,
    steps: 0,
    seconds: 0,
    environment: environmentOf({ device: 'cpu' }, {}),
  })
}
