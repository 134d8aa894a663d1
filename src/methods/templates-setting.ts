import { z } from 'zod'
import { isTemplate, TEMPLATE_EXPECTED } from './zero-shot/templates.ts'

/** Hand-written prompts instead of the data set's own, a list or a single one; ensembles by name, such as `imagenet80`. */
export const templatesSetting = z
  .preprocess(
    (value) => (typeof value === 'string' ? [value] : value),
    z.array(z.string().refine(isTemplate, TEMPLATE_EXPECTED)).min(1),
  )
  .optional()
