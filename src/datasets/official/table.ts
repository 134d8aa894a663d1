import { PAPER_TEMPLATES } from '../../methods/zero-shot/templates.ts'
import { readActions, readAircraft, readPets, readScenes } from './annotations.ts'
import { classFolders } from './class-folders.ts'
import { CLASS_NAMES, readImageNet, readImageNetV2, readShiftedImageNet } from './imagenet.ts'
import { readCars, readFlowers } from './mat-annotations.ts'
import type { Download, OfficialDataset } from './types.ts'

const drive = (what: string, id: string): Download => ({
  what,
  url: `https://drive.google.com/file/d/${id}/view?usp=sharing`,
})

const IMAGENET_NAMES = drive(CLASS_NAMES, '1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF')

/** What the four shifted versions of ImageNet have in common. */
const SHIFTED = { testOnly: true, template: PAPER_TEMPLATES.ImageNet } as const
const tested = (classes: number, test: number) => ({ classes, train: undefined, val: undefined, test })

/**
 * The paper's eleven data sets and the four versions of ImageNet for domain shift: where the official code expects
 * them, how it reads them, the paper's counts, and where to get them (official `datasets/*.py` and `DATASETS.md`).
 */
export const OFFICIAL_DATASETS: readonly OfficialDataset[] = [
  {
    id: 'imagenet',
    name: 'ImageNet',
    officialClass: 'ImageNet',
    aliases: ['imagenet1k', 'ilsvrc2012'],
    folder: 'imagenet',
    images: 'images',
    imageFolders: ['images/train', 'images/val'],
    annotation: [CLASS_NAMES],
    read: readImageNet,
    valIsTest: true,
    epochs: 50,
    template: PAPER_TEMPLATES.ImageNet,
    counts: { classes: 1000, train: 1_281_167, val: undefined, test: 50_000 },
    sources: [{ what: 'images/train and images/val', url: 'https://image-net.org/index.php' }, IMAGENET_NAMES],
  },
  {
    id: 'caltech101',
    name: 'Caltech101',
    officialClass: 'Caltech101',
    aliases: ['caltech'],
    folder: 'caltech-101',
    images: '101_ObjectCategories',
    splitFile: 'split_zhou_Caltech101.json',
    imageFolders: ['101_ObjectCategories'],
    annotation: [],
    read: classFolders({
      ignored: ['BACKGROUND_Google', 'Faces_easy'],
      renames: { airplanes: 'airplane', Faces: 'face', Leopards: 'leopard', Motorbikes: 'motorbike' },
    }),
    template: PAPER_TEMPLATES.Caltech101,
    counts: { classes: 100, train: 4128, val: 1649, test: 2465 },
    sources: [
      {
        what: '101_ObjectCategories',
        url: 'http://www.vision.caltech.edu/Image_Datasets/Caltech101/101_ObjectCategories.tar.gz',
      },
      drive('split_zhou_Caltech101.json', '1hyarUivQE36mY6jSomru6Fjd-JzwcCzN'),
    ],
  },
  {
    id: 'oxford_pets',
    name: 'OxfordPets',
    officialClass: 'OxfordPets',
    aliases: ['pets', 'OxfordIIITPet'],
    folder: 'oxford_pets',
    images: 'images',
    splitFile: 'split_zhou_OxfordPets.json',
    imageFolders: ['images'],
    annotation: ['annotations/trainval.txt', 'annotations/test.txt'],
    read: readPets,
    template: PAPER_TEMPLATES.OxfordPets,
    counts: { classes: 37, train: 2944, val: 736, test: 3669 },
    sources: [
      { what: 'images', url: 'https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz' },
      { what: 'annotations', url: 'https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz' },
      drive('split_zhou_OxfordPets.json', '1501r8Ber4nNKvmlFVQZ8SeUHTcdTTEqs'),
    ],
  },
  {
    id: 'stanford_cars',
    name: 'StanfordCars',
    officialClass: 'StanfordCars',
    aliases: ['cars'],
    folder: 'stanford_cars',
    images: '',
    splitFile: 'split_zhou_StanfordCars.json',
    imageFolders: ['cars_train', 'cars_test'],
    annotation: ['devkit/cars_meta.mat', 'devkit/cars_train_annos.mat', 'cars_test_annos_withlabels.mat'],
    read: readCars,
    template: PAPER_TEMPLATES.StanfordCars,
    counts: { classes: 196, train: 6509, val: 1635, test: 8041 },
    sources: [
      { what: 'cars_train', url: 'http://ai.stanford.edu/~jkrause/car196/cars_train.tgz' },
      { what: 'cars_test', url: 'http://ai.stanford.edu/~jkrause/car196/cars_test.tgz' },
      { what: 'devkit', url: 'https://ai.stanford.edu/~jkrause/cars/car_devkit.tgz' },
      {
        what: 'cars_test_annos_withlabels.mat',
        url: 'http://ai.stanford.edu/~jkrause/car196/cars_test_annos_withlabels.mat',
      },
      drive('split_zhou_StanfordCars.json', '1ObCFbaAgVu0I-k_Au-gIUcefirdAuizT'),
    ],
  },
  {
    id: 'oxford_flowers',
    name: 'Flowers102',
    officialClass: 'OxfordFlowers',
    aliases: ['flowers', 'OxfordFlowers102'],
    folder: 'oxford_flowers',
    images: 'jpg',
    splitFile: 'split_zhou_OxfordFlowers.json',
    imageFolders: ['jpg'],
    annotation: ['imagelabels.mat', 'cat_to_name.json'],
    read: readFlowers,
    template: PAPER_TEMPLATES.Flowers102,
    counts: { classes: 102, train: 4093, val: 1633, test: 2463 },
    sources: [
      { what: 'jpg', url: 'https://www.robots.ox.ac.uk/~vgg/data/flowers/102/102flowers.tgz' },
      { what: 'imagelabels.mat', url: 'https://www.robots.ox.ac.uk/~vgg/data/flowers/102/imagelabels.mat' },
      drive('cat_to_name.json', '1AkcxCXeK_RCGCEC_GvmWxjcjaNhu-at0'),
      drive('split_zhou_OxfordFlowers.json', '1Pp0sRXzZFZq15zVOzKjKBu4A9i01nozT'),
    ],
  },
  {
    id: 'food101',
    name: 'Food101',
    officialClass: 'Food101',
    aliases: ['food'],
    folder: 'food-101',
    images: 'images',
    splitFile: 'split_zhou_Food101.json',
    imageFolders: ['images'],
    annotation: [],
    read: classFolders(),
    template: PAPER_TEMPLATES.Food101,
    counts: { classes: 101, train: 50_500, val: 20_200, test: 30_300 },
    sources: [
      { what: 'images', url: 'https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/' },
      drive('split_zhou_Food101.json', '1QK0tGi096I0Ba6kggatX1ee6dJFIcEJl'),
    ],
  },
  {
    id: 'fgvc_aircraft',
    name: 'FGVCAircraft',
    officialClass: 'FGVCAircraft',
    aliases: ['aircraft'],
    folder: 'fgvc_aircraft',
    images: 'images',
    imageFolders: ['images'],
    annotation: ['variants.txt', 'images_variant_train.txt', 'images_variant_val.txt', 'images_variant_test.txt'],
    read: readAircraft,
    template: PAPER_TEMPLATES.FGVCAircraft,
    counts: { classes: 100, train: 3334, val: 3333, test: 3333 },
    sources: [
      {
        what: 'the folder data/ in it, renamed',
        url: 'https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz',
      },
    ],
  },
  {
    id: 'sun397',
    name: 'SUN397',
    officialClass: 'SUN397',
    aliases: ['sun'],
    folder: 'sun397',
    images: 'SUN397',
    splitFile: 'split_zhou_SUN397.json',
    imageFolders: ['SUN397'],
    annotation: ['ClassName.txt', 'Training_01.txt', 'Testing_01.txt'],
    read: readScenes,
    template: PAPER_TEMPLATES.SUN397,
    counts: { classes: 397, train: 15_880, val: 3970, test: 19_850 },
    sources: [
      { what: 'SUN397', url: 'http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz' },
      {
        what: 'ClassName.txt and the lists',
        url: 'https://vision.princeton.edu/projects/2010/SUN/download/Partitions.zip',
      },
      drive('split_zhou_SUN397.json', '1y2RD81BYuiyvebdN-JymPfyWYcd8_MUq'),
    ],
  },
  {
    id: 'dtd',
    name: 'DTD',
    officialClass: 'DescribableTextures',
    aliases: ['textures'],
    folder: 'dtd',
    images: 'images',
    splitFile: 'split_zhou_DescribableTextures.json',
    imageFolders: ['images'],
    annotation: [],
    read: classFolders(),
    template: PAPER_TEMPLATES.DTD,
    counts: { classes: 47, train: 2820, val: 1128, test: 1692 },
    sources: [
      { what: 'images', url: 'https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz' },
      drive('split_zhou_DescribableTextures.json', '1u3_QfB467jqHgNXC00UIzbLZRQCg2S7x'),
    ],
  },
  {
    id: 'eurosat',
    name: 'EuroSAT',
    officialClass: 'EuroSAT',
    folder: 'eurosat',
    images: '2750',
    splitFile: 'split_zhou_EuroSAT.json',
    imageFolders: ['2750'],
    annotation: [],
    read: classFolders({
      renames: {
        AnnualCrop: 'Annual Crop Land',
        HerbaceousVegetation: 'Herbaceous Vegetation Land',
        Highway: 'Highway or Road',
        Industrial: 'Industrial Buildings',
        Pasture: 'Pasture Land',
        PermanentCrop: 'Permanent Crop Land',
        Residential: 'Residential Buildings',
        SeaLake: 'Sea or Lake',
      },
    }),
    template: PAPER_TEMPLATES.EuroSAT,
    counts: { classes: 10, train: 13_500, val: 5400, test: 8100 },
    sources: [
      { what: '2750', url: 'http://madm.dfki.de/files/sentinel/EuroSAT.zip' },
      drive('split_zhou_EuroSAT.json', '1Ip7yaCWFi0eaOFUGga0lUdVi_DDQth1o'),
    ],
  },
  {
    id: 'ucf101',
    name: 'UCF101',
    officialClass: 'UCF101',
    aliases: ['ucf'],
    folder: 'ucf101',
    images: 'UCF-101-midframes',
    splitFile: 'split_zhou_UCF101.json',
    imageFolders: ['UCF-101-midframes'],
    annotation: [
      'ucfTrainTestlist/classInd.txt',
      'ucfTrainTestlist/trainlist01.txt',
      'ucfTrainTestlist/testlist01.txt',
    ],
    read: readActions,
    template: PAPER_TEMPLATES.UCF101,
    counts: { classes: 101, train: 7639, val: 1898, test: 3783 },
    sources: [
      drive('UCF-101-midframes', '10Jqome3vtUA2keJkNanAiFpgbyC9Hc2O'),
      drive('split_zhou_UCF101.json', '1I0S0q91hJfsV9Gf4xDIjgDq4AqBNJb1y'),
    ],
  },
  {
    ...SHIFTED,
    id: 'imagenetv2',
    name: 'ImageNetV2',
    officialClass: 'ImageNetV2',
    folder: 'imagenetv2',
    images: 'imagenetv2-matched-frequency-format-val',
    imageFolders: ['imagenetv2-matched-frequency-format-val'],
    annotation: [CLASS_NAMES],
    read: readImageNetV2,
    counts: tested(1000, 10_000),
    sources: [
      {
        what: 'imagenetv2-matched-frequency-format-val',
        url: 'https://s3-us-west-2.amazonaws.com/imagenetv2public/imagenetv2-matched-frequency.tar.gz',
      },
      IMAGENET_NAMES,
    ],
  },
  {
    ...SHIFTED,
    id: 'imagenet_sketch',
    name: 'ImageNet-Sketch',
    officialClass: 'ImageNetSketch',
    aliases: ['sketch'],
    folder: 'imagenet-sketch',
    images: 'images',
    imageFolders: ['images'],
    annotation: [CLASS_NAMES],
    read: readShiftedImageNet,
    counts: tested(1000, 50_889),
    sources: [{ what: 'images', url: 'https://github.com/HaohanWang/ImageNet-Sketch' }, IMAGENET_NAMES],
  },
  {
    ...SHIFTED,
    id: 'imagenet_a',
    name: 'ImageNet-A',
    officialClass: 'ImageNetA',
    aliases: ['imagenet-adversarial'],
    folder: 'imagenet-adversarial',
    images: 'imagenet-a',
    imageFolders: ['imagenet-a'],
    annotation: [CLASS_NAMES],
    read: readShiftedImageNet,
    counts: tested(200, 7500),
    sources: [{ what: 'imagenet-a', url: 'https://github.com/hendrycks/natural-adv-examples' }, IMAGENET_NAMES],
  },
  {
    ...SHIFTED,
    id: 'imagenet_r',
    name: 'ImageNet-R',
    officialClass: 'ImageNetR',
    aliases: ['imagenet-rendition'],
    folder: 'imagenet-rendition',
    images: 'imagenet-r',
    imageFolders: ['imagenet-r'],
    annotation: [CLASS_NAMES],
    read: readShiftedImageNet,
    counts: tested(200, 30_000),
    sources: [{ what: 'imagenet-r', url: 'https://github.com/hendrycks/imagenet-r' }, IMAGENET_NAMES],
  },
]

/** The row of a data set by id, name, official class, alias or folder, whatever its case, `-` and `_`. */
export function findOfficialDataset(word: string): OfficialDataset | undefined {
  const wanted = plain(word)
  return OFFICIAL_DATASETS.find(({ id, name, officialClass, folder, aliases = [] }) =>
    [id, name, officialClass, folder, ...aliases].some((known) => plain(known) === wanted),
  )
}

const plain = (word: string): string => word.toLowerCase().replaceAll(/[-_. ]/g, '')
