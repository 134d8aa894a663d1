import { z } from 'zod'
import { readSchema } from '../clip/schema.ts'
import { DEFAULT_TRANSFORMS, TRANSFORMS_NAMES, type Transforms } from '../data/transforms.ts'
import type { Hooks } from '../progress.ts'
import { readRunSettings } from './run.ts'

/** Runs of before there was a choice are of today's. */
const schema = z.object({
  about: z.object({ transforms: z.enum(TRANSFORMS_NAMES).default(DEFAULT_TRANSFORMS) }),
})

/** How pictures are cut for a finished run: as for its training, or as told, with a warning where that is another way. */
export async function transformsFor(
  run: string,
  { transforms }: { readonly transforms?: Transforms | undefined },
  { onWarning }: Hooks,
): Promise<Transforms> {
  const { about } = readSchema(schema, await readRunSettings(run), `settings.json of ${run}`)
  if (transforms === undefined || transforms === about.transforms) return about.transforms
  onWarning?.(
    `${run} is of pictures cut as in ${about.transforms} and is shown pictures cut as in ${transforms}: ` +
      'do not compare its accuracy with that of other runs',
  )
  return transforms
}
