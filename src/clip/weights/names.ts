import type { Shape } from '../../graph/tensor.ts'

/**
 * How a canonical tensor (OpenAI's and OpenCLIP's name) is made from the tensors of a file: copied, transposed, or
 * several stacked along the first axis.
 */
export interface Origin {
  readonly names: readonly string[]
  readonly change: 'copy' | 'transpose' | 'stack'
}

/** The names that one layout of checkpoints uses. */
export interface Naming {
  /** Which tensors of the file make the canonical one. */
  originOf(canonical: string): Origin
  /** Which canonical tensor a tensor of the file belongs to; undefined for names the layout does not know. */
  canonical(name: string): string | undefined
  /** Tensors that are no weights: counters, index tables, masks. */
  ignored(name: string): boolean
}

/** Shape of each of a source's tensors in the file, given the canonical shape. */
export function originShape({ change, names }: Origin, canonical: Shape): Shape {
  if (change === 'transpose') return canonical.toReversed()
  const [first = 1, ...rest] = canonical
  return change === 'stack' ? [first / names.length, ...rest] : canonical
}

interface Rule extends Origin {
  readonly canonical: string
}

const copy = (canonical: string, name: string): Rule => ({ canonical, names: [name], change: 'copy' })
const transpose = (canonical: string, name: string): Rule => ({ canonical, names: [name], change: 'transpose' })
const stack = (canonical: string, ...names: string[]): Rule => ({ canonical, names, change: 'stack' })

const both = (canonical: string, name: string): Rule[] =>
  ['weight', 'bias'].map((part) => copy(`${canonical}.${part}`, `${name}.${part}`))

/** One transformer layer; `*` is its number. */
const block = (canonical: string, name: string): Rule[] => [
  ...both(`${canonical}.*.ln_1`, `${name}.*.layer_norm1`),
  ...both(`${canonical}.*.ln_2`, `${name}.*.layer_norm2`),
  ...['weight', 'bias'].map((part) =>
    stack(
      `${canonical}.*.attn.in_proj_${part}`,
      `${name}.*.self_attn.q_proj.${part}`,
      `${name}.*.self_attn.k_proj.${part}`,
      `${name}.*.self_attn.v_proj.${part}`,
    ),
  ),
  ...both(`${canonical}.*.attn.out_proj`, `${name}.*.self_attn.out_proj`),
  ...both(`${canonical}.*.mlp.c_fc`, `${name}.*.mlp.fc1`),
  ...both(`${canonical}.*.mlp.c_proj`, `${name}.*.mlp.fc2`),
]

const HUGGING_FACE: readonly Rule[] = [
  copy('logit_scale', 'logit_scale'),
  copy('token_embedding.weight', 'text_model.embeddings.token_embedding.weight'),
  copy('positional_embedding', 'text_model.embeddings.position_embedding.weight'),
  ...block('transformer.resblocks', 'text_model.encoder.layers'),
  ...both('ln_final', 'text_model.final_layer_norm'),
  transpose('text_projection', 'text_projection.weight'),
  copy('visual.class_embedding', 'vision_model.embeddings.class_embedding'),
  copy('visual.positional_embedding', 'vision_model.embeddings.position_embedding.weight'),
  copy('visual.conv1.weight', 'vision_model.embeddings.patch_embedding.weight'),
  // The missing "e" is transformers' own.
  ...both('visual.ln_pre', 'vision_model.pre_layrnorm'),
  ...block('visual.transformer.resblocks', 'vision_model.encoder.layers'),
  ...both('visual.ln_post', 'vision_model.post_layernorm'),
  transpose('visual.proj', 'visual_projection.weight'),
]

const HUGGING_FACE_IGNORED = /^(text|vision)_model\.embeddings\.position_ids$/
const OPEN_CLIP_IGNORED = /(^|\.)(num_batches_tracked|attn_mask)$|^(input_resolution|context_length|vocab_size)$/

const LAYER_NUMBER = /(?<=\.)\d+(?=\.)/

/** Applies `find` to a name with its layer number as `*`, and gives a function that puts the number back. */
function withLayer<T>(name: string, find: (pattern: string) => T | undefined) {
  const number = LAYER_NUMBER.exec(name)?.[0] ?? ''
  return { found: find(name.replace(LAYER_NUMBER, '*')), fill: (pattern: string) => pattern.replace('*', number) }
}

const byCanonical = new Map(HUGGING_FACE.map((rule) => [rule.canonical, rule]))
const byName = new Map(HUGGING_FACE.flatMap((rule) => rule.names.map((name) => [name, rule.canonical] as const)))

/** Names of Hugging Face's CLIPModel (always a ViT). */
export const huggingFaceNames: Naming = {
  originOf(canonical) {
    const { found, fill } = withLayer(canonical, (pattern) => byCanonical.get(pattern))
    if (found === undefined) return { names: [canonical], change: 'copy' }
    return { names: found.names.map(fill), change: found.change }
  },
  canonical(name) {
    const { found, fill } = withLayer(name, (pattern) => byName.get(pattern))
    return found === undefined ? undefined : fill(found)
  },
  ignored: (name) => HUGGING_FACE_IGNORED.test(name),
}

/** OpenCLIP's (and OpenAI's) names are the canonical ones. */
export const openClipNames: Naming = {
  originOf: (canonical) => ({ names: [canonical], change: 'copy' }),
  canonical: (name) => name,
  ignored: (name) => OPEN_CLIP_IGNORED.test(name),
}
