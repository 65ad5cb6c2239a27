// Any regular expression that has no hand-written splitter. Files are written for Oniguruma, which works on code points; .NET works on
// UTF-16 units. So the text is matched with every character outside the basic plane replaced by a basic one of the same general
// category, which makes one unit per character, and the few differences of syntax are translated.
// Leaves out: \K, \X, and scripts other than those below; each gives an error with the pattern.

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Gradus.Text;

internal sealed class RegexPattern : TextPattern
{
    /// <summary>A pattern that takes longer on one piece has run away.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly Regex _regex;

    public RegexPattern(string pattern)
    {
        string translated = RegexTranslation.Translate(pattern);
        try
        {
            _regex = new Regex(translated, RegexOptions.CultureInvariant | RegexOptions.Multiline, Timeout);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"The regular expression {pattern} cannot be read: {e.Message}", e);
        }
    }

    public override void Collect(ReadOnlySpan<byte> text, int offset, bool invert, MatchCollector matches)
    {
        string units = ToUnits(text);
        int gap = 0;
        int unit = 0;
        int at = 0;
        int last = -1;
        try
        {
            foreach (ValueMatch match in _regex.EnumerateMatches(units))
            {
                // As Oniguruma goes on after a match: nothing is found where the last match ended.
                if (match.Length == 0 && match.Index == last)
                    continue;
                last = match.Index + match.Length;
                int start = Advance(text, match.Index);
                matches.Add(offset + gap, offset + start, invert);
                gap = Advance(text, last);
                if (gap > start)
                    matches.Add(offset + start, offset + gap, !invert);
                else
                    matches.AddEmpty(offset + start, !invert);
            }
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new InvalidDataException($"The regular expression {_regex} took more than {Timeout.TotalSeconds:0} s on one piece of {text.Length} bytes; it backtracks without end.", e);
        }
        matches.Add(offset + gap, offset + text.Length, invert);

        int Advance(ReadOnlySpan<byte> source, int toUnit)
        {
            for (; unit < toUnit; unit++)
                at += CharacterClasses.LengthOf(source[at]);
            return at;
        }
    }

    private static string ToUnits(ReadOnlySpan<byte> text)
    {
        StringBuilder units = new(text.Length);
        for (int i = 0; i < text.Length;)
        {
            int c = CharacterClasses.Decode(text, i, out int length);
            units.Append(c < 0x10000 ? (char)c : StandIn(c));
            i += length;
        }
        return units.ToString();
    }

    /// <summary>A character of the basic plane with the same general category; Han stays Han.</summary>
    internal static char StandIn(int c)
    {
        return CharUnicodeInfo.GetUnicodeCategory(c) switch
        {
            UnicodeCategory.UppercaseLetter => 'Ꙁ',
            UnicodeCategory.LowercaseLetter => 'ꙁ',
            UnicodeCategory.ModifierLetter => 'ꟸ',
            UnicodeCategory.OtherLetter => c >= 0x20000 ? '㐀' : 'ꓐ',
            UnicodeCategory.NonSpacingMark => '\uA802',
            UnicodeCategory.SpacingCombiningMark => '\uA823',
            UnicodeCategory.DecimalDigitNumber => '꘠',
            UnicodeCategory.LetterNumber => 'ꛦ',
            UnicodeCategory.OtherNumber => '꠰',
            UnicodeCategory.OtherPunctuation => '꓾',
            UnicodeCategory.DashPunctuation => '⸗',
            UnicodeCategory.MathSymbol => '⨀',
            UnicodeCategory.CurrencySymbol => '꠸',
            UnicodeCategory.ModifierSymbol => '꜀',
            UnicodeCategory.OtherSymbol => '꠨',
            UnicodeCategory.Format => '\u2061',
            UnicodeCategory.PrivateUse => '\uE000',
            _ => '\u0378',
        };
    }
}
