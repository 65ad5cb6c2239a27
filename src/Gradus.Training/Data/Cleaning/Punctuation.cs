using System.Buffers;
using System.Text;

namespace Gradus.Training.Data.Cleaning;

/// <summary>Which characters count as punctuation: the set of CCNet (Wenzek et al., 2020), and Unicode's property Sentence_Terminal.</summary>
internal static class Punctuation
{
    private const string Visible = "!/\u2014\u201D:\uFF05\uFF11\u3008&(\u3001\u2501\\\u3010#%\u300C\u300D\uFF0C\u3011\uFF1B+^]~\u201C\u300A\u201E';\u2019{|\u2236\u00B4[=-`*\uFF0E\uFF08\u2013\uFF1F\uFF01\uFF1A$\uFF5E\u00AB\u3009,><\u300B)?\uFF09\u3002\u2026@_.\"}\u25BA\u00BB";

    // First and last of each range of Sentence_Terminal (Unicode 15).
    private static readonly (int First, int Last)[] TerminalRanges =
    [
        (0x21, 0x21), (0x2E, 0x2E), (0x3F, 0x3F), (0x589, 0x589), (0x61D, 0x61F), (0x6D4, 0x6D4), (0x700, 0x702), (0x7F9, 0x7F9), (0x837, 0x837),
        (0x839, 0x839), (0x83D, 0x83E), (0x964, 0x965), (0x104A, 0x104B), (0x1362, 0x1362), (0x1367, 0x1368), (0x166E, 0x166E), (0x1735, 0x1736),
        (0x17D4, 0x17D6), (0x17D9, 0x17DA), (0x1803, 0x1803), (0x1809, 0x1809), (0x1944, 0x1945), (0x1AA8, 0x1AAB), (0x1B5A, 0x1B5B), (0x1B5E,
        0x1B5F), (0x1B7D, 0x1B7E), (0x1C3B, 0x1C3C), (0x1C7E, 0x1C7F), (0x203C, 0x203D), (0x2047, 0x2049), (0x2E2E, 0x2E2E), (0x2E3C, 0x2E3C),
        (0x2E53, 0x2E54), (0x3002, 0x3002), (0xA4FF, 0xA4FF), (0xA60E, 0xA60F), (0xA6F3, 0xA6F3), (0xA6F7, 0xA6F7), (0xA876, 0xA877), (0xA8CE,
        0xA8CF), (0xA92F, 0xA92F), (0xA9C8, 0xA9C9), (0xAA5D, 0xAA5F), (0xAAF0, 0xAAF1), (0xABEB, 0xABEB), (0xFE52, 0xFE52), (0xFE56, 0xFE57),
        (0xFF01, 0xFF01), (0xFF0E, 0xFF0E), (0xFF1F, 0xFF1F), (0xFF61, 0xFF61), (0x10A56, 0x10A57), (0x10F55, 0x10F59), (0x10F86, 0x10F89),
        (0x11047, 0x11048), (0x110BE, 0x110C1), (0x11141, 0x11143), (0x111C5, 0x111C6), (0x111CD, 0x111CD), (0x111DE, 0x111DF), (0x11238, 0x11239),
        (0x1123B, 0x1123C), (0x112A9, 0x112A9), (0x1144B, 0x1144C), (0x115C2, 0x115C3), (0x115C9, 0x115D7), (0x11641, 0x11642), (0x1173C, 0x1173E),
        (0x11944, 0x11944), (0x11946, 0x11946), (0x11A42, 0x11A43), (0x11A9B, 0x11A9C), (0x11C41, 0x11C42), (0x11EF7, 0x11EF8), (0x11F43, 0x11F44),
        (0x16A6E, 0x16A6F), (0x16AF5, 0x16AF5), (0x16B37, 0x16B38), (0x16B44, 0x16B44), (0x16E98, 0x16E98), (0x1BC9F, 0x1BC9F), (0x1DA88, 0x1DA88),
    ];

    private static readonly bool[] Common = Make(Visible.Contains, controls: true);
    private static readonly bool[] Terminal = Make(c => InRanges(c), controls: false);

    /// <summary>The characters that normalization makes spaces of.</summary>
    public static SearchValues<char> Removed { get; } = SearchValues.Create([.. Enumerable.Range(0, 0x10000).Where(c => Common[c]).Select(c => (char)c)]);

    /// <summary>Whether a sentence can end with a character.</summary>
    public static bool IsTerminal(Rune c) => c.IsBmp ? Terminal[c.Value] : InRanges(c.Value);

    /// <summary>Whether a word consists of punctuation alone.</summary>
    public static bool IsAll(ReadOnlySpan<char> word)
    {
        for (int i = 0; i < word.Length; i++)
        {
            if (Common[word[i]] || Terminal[word[i]])
                continue;
            if (!char.IsHighSurrogate(word[i]) || i + 1 == word.Length || !char.IsLowSurrogate(word[i + 1]) || !InRanges(char.ConvertToUtf32(word[i], word[i + 1])))
                return false;
            i++;
        }
        return true;
    }

    private static bool InRanges(int c) => TerminalRanges.Any(r => c >= r.First && c <= r.Last);

    private static bool[] Make(Func<char, bool> contains, bool controls)
    {
        bool[] set = new bool[0x10000];
        for (int c = 0; c < set.Length; c++)
            set[c] = contains((char)c) || (controls && c is not ('\t' or '\n') && char.IsControl((char)c));
        return set;
    }
}
