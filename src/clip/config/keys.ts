import { FileError } from '../../base/errors.ts'
import { nearestWord } from '../../base/spelling.ts'
import { OTHER_MODEL } from './schema.ts'

const lines = (text: string) => text.trim().split(/\s+/)

/** Keys of every configuration of transformers that say nothing about what CLIP computes; old files have them all. */
const TRANSFORMERS_COMMON = lines(`
  add_cross_attention architectures bad_words_ids begin_suppress_tokens bos_token_id chunk_size_feed_forward
  cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample dtype early_stopping
  encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task forced_bos_token_id
  forced_eos_token_id gradient_checkpointing id2label is_composition is_decoder is_encoder_decoder label2id
  length_penalty max_length min_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences
  output_attentions output_hidden_states output_scores pad_token_id prefix problem_type pruned_heads
  remove_invalid_values repetition_penalty return_dict return_dict_in_generate sep_token_id suppress_tokens
  task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings tokenizer_class top_k top_p
  torch_dtype torchscript transformers.js_config transformers_version typical_p use_bfloat16 use_cache
`)

/** How weights were drawn, and what is left out in training. */
const TRAINING_ONLY = ['initializer_factor', 'initializer_range', 'dropout', 'attention_dropout']

/** Known keys that do not affect what is computed here, by the part of a configuration. */
export const HARMLESS = {
  huggingFace: [...TRANSFORMERS_COMMON, ...TRAINING_ONLY, 'logit_scale_init_value'],
  huggingFaceTower: [...TRANSFORMERS_COMMON, ...TRAINING_ONLY, 'projection_dim'],
  preprocessor: lines(`
    crop_pct data_format device disable_grouping do_convert_rgb image_seq_length input_data_format
    pad_size processor_class return_tensors size_divisor
  `),
  openClipText: lines('hf_model_pretrained hf_pooler_type hf_proj_type hf_tokenizer_name eos_id pad_id output_tokens'),
  openClipVision: lines(`
    attn_pooler_heads attn_pooler_queries output_tokens patch_dropout timm_drop timm_drop_path timm_model_pretrained
    timm_pool timm_proj timm_proj_bias
  `),
  openClipModel: ['init_logit_scale', 'nonscalar_logit_scale', 'cast_dtype', 'output_dict'],
  openClipPreprocess: ['fill_color'],
} as const

/**
 * Throws FileError for keys that nobody knows: a slip of the pen would otherwise leave a default in place, and a new kind
 * of model be taken for an old one. Names the known key that was probably meant. Keys that begin with `_` are notes.
 */
export function checkKeys(
  where: string,
  value: unknown,
  read: readonly string[],
  harmless: readonly string[],
  remedy = OTHER_MODEL,
): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return
  const known = new Set([...read, ...harmless])
  const strange = Object.keys(value).filter((key) => !key.startsWith('_') && !known.has(key))
  if (strange.length === 0) return
  const listed = strange.slice(0, MAX_TOLD).map((key) => {
    const meant = nearestWord(key, read) ?? nearestWord(key, harmless)
    return `  ${JSON.stringify(key)} is not a known key${meant === undefined ? '' : ` (did you mean "${meant}"?)`}`
  })
  const more = strange.length > listed.length ? [`  ... and ${strange.length - listed.length} more`] : []
  throw new FileError(
    `${where} may describe a model that is not supported:\n${[...listed, ...more].join('\n')}`,
    remedy,
  )
}

const MAX_TOLD = 10
