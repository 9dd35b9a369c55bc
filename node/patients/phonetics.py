"""Names as they sound: one key for the spellings of a name in Latin and in Devanagari letters. Pure; knows no patient.

सुनीता, Sunita and Suneeta have one key, as have मोहम्मद, Mohammed and Muhammad. Vowels inside of a word, aspiration and the
place of the tongue are dropped: that is where the spellings of one name differ. A key finds candidates, it decides nothing.
"""

import re
import unicodedata

_LETTERS = "कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसहळ"
_IN_LATIN = "k kh g gh n ch chh j jh n t th d dh n t th d dh n p ph b bh m y r l v sh sh s h l"
_CONSONANTS = dict(zip(_LETTERS, _IN_LATIN.split(), strict=True))
_SIGN_VOWELS = "a i i u u ri e ai o o au"
_SIGNS = dict(zip("ािीुूृेैॉोौ", _SIGN_VOWELS.split(), strict=True))
_VOWELS = {"अ": "a", **dict(zip("आइईउऊऋएऐऑओऔ", _SIGN_VOWELS.split(), strict=True))}
_VIRAMA, _NUKTA = "\u094d", "\u093c"
_NASAL = frozenset("\u0902\u0901")
_LIPS = frozenset("पफबभम")
_WITH_NUKTA = {"ज": "z", "फ": "f", "ड": "r", "ढ": "r"}

_TITLE_WORDS = "shri shree sri smt shrimati kumari km kum mr mrs ms dr late baby master"
_TITLES = frozenset(_TITLE_WORDS.split())
_SHORT = {"mohd": "mohammad", "md": "mohammad"}
_SOUNDS = (
    (re.compile(r"x"), "ks"),
    (re.compile(r"jny|gny|jn|gy"), "g"),
    (re.compile(r"ph"), "f"),
    (re.compile(r"ck|q"), "k"),
    (re.compile(r"c(?!h)"), "k"),
    (re.compile(r"sh|ss"), "s"),
    (re.compile(r"z"), "j"),
    (re.compile(r"w"), "v"),
    (re.compile(r"([kgcjtdbp])h+"), r"\1"),
    (re.compile(r"n(?=[pbm])"), "m"),
    (re.compile(r"ng$"), "n"),
)
_FIRST_VOWEL = str.maketrans("aeiou", "aiiuu")


def folded(text: str) -> str:
    """The text in lower case, without accents on Latin letters and without nukta, to compare letter by letter."""
    parts: list[str] = []
    for char in unicodedata.normalize("NFKD", text).casefold():
        accent = unicodedata.category(char) == "Mn" and "\u0300" <= char <= "\u036f"
        if not accent and char != _NUKTA:
            parts.append(char)
    return "".join(parts)


def words_of(text: str) -> list[str]:
    """The folded words of a text; vowel signs belong to the letter before them."""
    kept = (char if unicodedata.category(char)[0] in "LNM" else " " for char in folded(text))
    return "".join(kept).split()


def in_latin(text: str) -> str:
    """Devanagari in Latin letters, close to how names are spelt in English; what is not Devanagari stays."""
    result: list[str] = []
    letters = unicodedata.normalize("NFD", text)
    for index, letter in enumerate(letters):
        following = letters[index + 1 : index + 3]
        if letter in _CONSONANTS:
            result.append(_consonant(letter, following))
        elif letter in _NASAL:
            result.append("m" if following[:1] in _LIPS and following else "n")
        elif letter not in (_VIRAMA, _NUKTA, "\u0903"):
            result.append(_VOWELS.get(letter) or _SIGNS.get(letter) or letter)
    return "".join(result)


def _consonant(letter: str, following: str) -> str:
    has_nukta = following[:1] == _NUKTA
    sound = _WITH_NUKTA.get(letter, _CONSONANTS[letter]) if has_nukta else _CONSONANTS[letter]
    after = following[1:2] if has_nukta else following[:1]
    bare = after == _VIRAMA or after in _SIGNS
    at_end = not after or unicodedata.category(after)[0] not in "LM"
    return sound if bare or at_end else f"{sound}a"


def sound_of(word: str) -> str:
    """The key of one word: its first vowel where it begins with one, and its consonants, simplified."""
    latin = folded(in_latin(word))
    latin = _SHORT.get(latin, latin)
    for pattern, sound in _SOUNDS:
        latin = pattern.sub(sound, latin)
    first, rest = latin[:1].translate(_FIRST_VOWEL), latin[1:]
    letters = first + re.sub(r"[aeiouy]", "", rest)
    return re.sub(r"(.)\1+", r"\1", letters).removesuffix("h") or first


def sounds_of(name: str) -> list[str]:
    """The keys of the words of a name, without titles."""
    words = [word for word in words_of(name) if word not in _TITLES]
    return [key for word in words if (key := sound_of(word))]
