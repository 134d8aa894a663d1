import { z } from 'zod'
import { anObject, checkArguments, someTexts } from '../base/arguments.ts'
import type { Classes } from './method.ts'
import { isTemplate, TEMPLATE_EXPECTED } from './zero-shot/templates.ts'

/** Hand-written prompts instead of the data set's own, a list or a single one; ensembles by name, such as `imagenet80`. */
export const templatesSetting = z
  .preprocess(
    (value) => (typeof value === 'string' ? [value] : value),
    z.array(z.string().refine(isTemplate, TEMPLATE_EXPECTED)).min(1),
  )
  .optional()

/** Classes with the templates of a method's settings, if there are any, instead of the data set's own. */
export function withTemplates<C extends Classes>(classes: C, settings: { readonly templates?: readonly string[] }): C {
  checkArguments('withTemplates', { classes, settings }, { classes: anObject, settings: anObject })
  const { templates } = settings
  checkArguments('withTemplates', { templates }, { templates: someTexts.optional() })
  return templates === undefined ? classes : { ...classes, templates }
}
