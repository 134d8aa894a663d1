import type { ClipConfig } from '../clip/types.ts'
import type { Preprocessing } from './preprocessing.ts'

/** Pillow's number for bicubic. */
const BICUBIC = 3

/**
 * Configurations beside `onnx/model.onnx` in a folder that `pipeline('image-classification', DIR)` of
 * @huggingface/transformers opens. Its table of image classifiers has no CLIP: the type is that of the same kind of tower,
 * which decides nothing but that it feeds `pixel_values` and reads `logits`.
 *
 * @param labels all different
 */
export function transformersConfigs(
  { vision }: ClipConfig,
  labels: readonly string[],
  { size, resize, rescale, mean, std }: Preprocessing,
): ReadonlyMap<string, object> {
  const type = vision.kind === 'vit' ? 'vit' : 'resnet'
  const config = {
    model_type: type,
    architectures: [type === 'vit' ? 'ViTForImageClassification' : 'ResNetForImageClassification'],
    image_size: size,
    num_channels: 3,
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    // else a page looks for model_quantized.onnx
    'transformers.js_config': { dtype: 'fp32' },
  }
  const processor = {
    image_processor_type: 'CLIPImageProcessor',
    feature_extractor_type: 'CLIPFeatureExtractor',
    do_convert_rgb: true,
    do_resize: true,
    size: resize,
    resample: BICUBIC,
    do_center_crop: true,
    crop_size: { height: size, width: size },
    do_rescale: true,
    rescale_factor: rescale,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
  }
  return new Map<string, object>([
    ['config.json', config],
    ['preprocessor_config.json', processor],
  ])
}
