/** `1 image`, `2 images`; `many` where the plural is not formed with an s. */
export const countOf = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`
