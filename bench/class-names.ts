// A hundred things to tell apart, of one to four tokens (two on average), as data sets of photographs have them. Written
// with a bar wherever CLIP's byte-pair table cuts a word, so that the prompts have the lengths they have with CLIP.
const NAMES = `
ten|ch, goldfish, great white shark, hammer|head shark, electric ray, rooster, bram|bling, house finch, indigo bunting,
american robin, bald eagle, great grey owl, fire salam|ander, smooth newt, american bull|frog, leather|back sea turtle,
box turtle, green igu|ana, kom|odo dragon, nile crocodile, king cobra, garden spider, taran|tula, black grouse,
grey parrot, horn|bill, hummingbird, tou|can, black swan, koala, wom|bat, jellyfish, sea anemone, ne|mato|de,
fidd|ler crab, american lobster, hermit crab, white stork, great egret, king penguin, albat|ross, grey whale,
killer whale, sea lion, afghan hound, bas|set hound, beagle, norfolk terrier, ai|red|ale terrier, golden retriever,
labrador retriever, german shepherd dog, ber|nese mountain dog, siberian husky, standard poodle, timber wolf, red fox,
tabby cat, snow leopard, brown bear, mon|goose, ladybug, dragonfly, monarch butterfly, starfish, por|cup|ine,
guinea pig, zebra, hippo|potam|us, bigh|orn sheep, orangu|tan, giant panda, ab|acus, accordion, acoustic guitar,
aircraft carrier, ambulance, assault rifle, barber chair, bathtub, bino|culars, book|case, cello, chainsaw, coffee mug,
digital clock, espresso machine, fire truck, french horn, grand piano, harmon|ica, hour|glass, ice cream,
jigsaw puzzle, laptop computer, mountain bike, parachute, rocking chair, school bus, water tower`

const CLASS_NAMES: readonly string[] = NAMES.trim().split(/,\s+/)

/** Names of so many classes; beyond the hundred the same with other words of as many tokens (`goldfish#1`), so that no two are equal. */
export const classNames = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => {
    const name = CLASS_NAMES[i % CLASS_NAMES.length] ?? ''
    const round = Math.floor(i / CLASS_NAMES.length)
    return round === 0 ? name : name.replaceAll(/[^\s|]+/g, (piece) => `${piece}#${round}`)
  })

/** Tokens of a name, or of a name with its full stop. */
export const piecesOf = (text: string): string[] => text.match(/[^\s|.]+|\./g) ?? []

/** Every token of the hundred names. */
const PIECES: readonly string[] = [...new Set(['.', ...CLASS_NAMES.flatMap(piecesOf)])]
const IDS = new Map(PIECES.map((piece, i) => [piece, i]))

/** The number of a token, undefined for what is none; of the words beyond the hundred names, too. */
export function pieceId(piece: string): number | undefined {
  const [word = '', round = '0'] = piece.split('#')
  const id = IDS.get(word)
  return id === undefined ? undefined : id + Number(round) * PIECES.length
}

export function pieceOf(id: number): string | undefined {
  const round = Math.floor(id / PIECES.length)
  const word = PIECES[id % PIECES.length]
  return word === undefined || round === 0 ? word : `${word}#${round}`
}
