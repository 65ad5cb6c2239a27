using System.Text;

namespace Gradus.Text;

/// <summary>Turns Oniguruma's (Ruby's) regular-expression syntax into .NET's, where the two differ and tokenizer files use it.</summary>
internal static class RegexTranslation
{
    /// <summary>What \w is: letters, marks, numbers but for most of No, connectors and circled letters.</summary>
    private const string Word = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9\u00B2\u00B3\u00B9\u00BC-\u00BE";

    private const string Uppercase = @"\p{Lu}\u2160-\u216F\u24B6-\u24CF";

    private const string Lowercase = @"\p{Ll}\u00AA\u00BA\u02B0-\u02B8\u02C0\u02C1\u02E0-\u02E4\u0345\u037A\u1D2C-\u1D6A\u1D78\u1D9B-\u1DBF\u2071\u207F\u2090-\u209C"
        + @"\u2170-\u217F\u24D0-\u24E9\u2C7C\u2C7D\uA69C\uA69D\uA770\uA7F8\uA7F9\uAB5C-\uAB5F";

    private static readonly Dictionary<string, string> Properties = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = @"\p{L}",
        ["Number"] = @"\p{N}",
        ["Punctuation"] = @"\p{P}",
        ["Symbol"] = @"\p{S}",
        ["Mark"] = @"\p{M}",
        ["Separator"] = @"\p{Z}",
        ["Other"] = @"\p{C}",
        ["Uppercase_Letter"] = @"\p{Lu}",
        ["Lowercase_Letter"] = @"\p{Ll}",
        ["Decimal_Number"] = @"\p{Nd}",
        ["Alphabetic"] = @"\p{L}\p{Nl}\p{M}\u24B6-\u24E9",
        ["Alpha"] = @"\p{L}\p{Nl}\p{M}\u24B6-\u24E9",
        ["Alnum"] = @"\p{L}\p{Nl}\p{M}\p{Nd}\u24B6-\u24E9",
        ["Digit"] = @"\p{Nd}",
        ["Space"] = @"\s",
        ["White_Space"] = @"\s",
        ["Punct"] = @"\p{P}",
        ["Upper"] = Uppercase,
        ["Lower"] = Lowercase,
        ["Uppercase"] = Uppercase,
        ["Lowercase"] = Lowercase,
        ["Cntrl"] = @"\p{Cc}",
        ["XDigit"] = "0-9A-Fa-f",
        ["Word"] = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9",
        ["Han"] = @"\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u3005\u3007\u3021-\u3029\u3038-\u303B\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFA6D\uFA70-\uFAD9",
        ["Hiragana"] = @"\u3041-\u3096\u309D-\u309F",
        ["Katakana"] = @"\u30A1-\u30FA\u30FD-\u30FF\u31F0-\u31FF\u32D0-\u32FE\u3300-\u3357\uFF66-\uFF6F\uFF71-\uFF9D",
        ["Hangul"] = @"\u1100-\u11FF\u302E\u302F\u3131-\u318E\u3200-\u321E\u3260-\u327E\uA960-\uA97C\uAC00-\uD7A3\uD7B0-\uD7C6\uD7CB-\uD7FB\uFFA0-\uFFBE\uFFC2-\uFFC7\uFFCA-\uFFCF\uFFD2-\uFFD7\uFFDA-\uFFDC",
        ["Thai"] = @"\u0E01-\u0E3A\u0E40-\u0E5B",
        ["Lao"] = @"\u0E81-\u0EDF",
        ["Khmer"] = @"\u1780-\u17F9\u19E0-\u19FF",
        ["Myanmar"] = @"\u1000-\u109F\uA9E0-\uA9FE\uAA60-\uAA7F",
        ["Cyrillic"] = @"\u0400-\u0484\u0487-\u052F\u1C80-\u1C88\u1D2B\u1D78\u2DE0-\u2DFF\uA640-\uA69F\uFE2E\uFE2F",
        ["Arabic"] = @"\u0600-\u0604\u0606-\u060B\u060D-\u061A\u061C-\u061E\u0620-\u063F\u0641-\u064A\u0656-\u066F\u0671-\u06DC\u06DE-\u06FF\u0750-\u077F\u08A0-\u08E1\u08E3-\u08FF\uFB50-\uFDFF\uFE70-\uFEFC",
        ["Hebrew"] = @"\u0591-\u05F4\uFB1D-\uFB4F",
        ["Devanagari"] = @"\u0900-\u0950\u0955-\u0963\u0966-\u097F\uA8E0-\uA8FF",
        ["Greek"] = @"\u0370-\u0373\u0375-\u0377\u037A-\u037D\u037F\u0384\u0386\u0388-\u03E1\u03F0-\u03FF\u1D26-\u1D2A\u1F00-\u1FFE\u2126",
        ["Latin"] = @"A-Za-z\u00AA\u00BA\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02B8\u02E0-\u02E4\u1D00-\u1D25\u1D2C-\u1D5C\u1D62-\u1D65\u1D6B-\u1D77\u1D79-\u1DBE\u1E00-\u1EFF\u2071\u207F\u2090-\u209C\u212A\u212B\u2132\u214E\u2160-\u2188\u2C60-\u2C7F\uA722-\uA787\uA78B-\uA7FF\uAB30-\uAB5A\uAB5C-\uAB69\uFB00-\uFB06\uFF21-\uFF3A\uFF41-\uFF5A",
    };

    private static readonly System.Buffers.SearchValues<char> Counts = System.Buffers.SearchValues.Create("0123456789,");

    public static string Translate(string pattern)
    {
        StringBuilder result = new(pattern.Length + 16);
        Stack<int> groups = new();
        int atom = 0;
        for (int i = 0; i < pattern.Length;)
        {
            char c = pattern[i];
            switch (c)
            {
                case '(':
                    groups.Push(result.Length);
                    result.Append(c);
                    i++;
                    break;
                case ')':
                    atom = groups.Count > 0 ? groups.Pop() : throw Unreadable(pattern, "a ) without its (");
                    result.Append(c);
                    i++;
                    break;
                case '[':
                    atom = result.Length;
                    i = Class(pattern, i, result);
                    break;
                case '\\':
                    atom = result.Length;
                    i = Escape(pattern, i, result, inClass: false);
                    break;
                case '*' or '+' or '?' or '{' when i > 0 && IsQuantifier(pattern, i, out int length):
                    i = Quantifier(pattern, i, length, atom, result);
                    break;
                default:
                    atom = result.Length;
                    result.Append(c);
                    i++;
                    break;
            }
        }
        return result.ToString();
    }

    private static bool IsQuantifier(string pattern, int i, out int length)
    {
        length = 1;
        if (pattern[i] != '{')
            return pattern[i - 1] != '(';
        int close = pattern.IndexOf('}', i);
        if (close < 0)
            return false;
        length = close - i + 1;
        return length > 2 && pattern.AsSpan(i + 1, length - 2).IndexOfAnyExcept(Counts) < 0;
    }

    private static int Quantifier(string pattern, int i, int length, int atom, StringBuilder result)
    {
        string quantifier = pattern.Substring(i, length);
        int end = i + length;
        // Oniguruma allows {,n}.
        if (quantifier.StartsWith("{,", StringComparison.Ordinal))
            quantifier = "{0" + quantifier[1..];
        bool plus = end < pattern.Length && pattern[end] == '+';
        if (plus && quantifier[0] != '{')
        {
            // Possessive: an atomic group.
            result.Insert(atom, "(?>").Append(quantifier).Append(')');
            return end + 1;
        }
        if (plus)
        {
            // In Ruby's syntax a{1,3}+ repeats the repetition.
            result.Insert(atom, "(?:").Append(quantifier).Append(")+");
            return end + 1;
        }
        result.Append(quantifier);
        if (end < pattern.Length && pattern[end] == '?')
        {
            result.Append('?');
            end++;
        }
        return end;
    }

    private static int Class(string pattern, int i, StringBuilder result)
    {
        CharacterSet set = CharacterSet.Read(pattern, ref i, 0);
        result.Append(set.Translate());
        return i;
    }

    /// <summary>A class in brackets: operands, of which all must hold (&amp;&amp;), each a list of members and of classes within it.</summary>
    private sealed class CharacterSet
    {
        private const int MaxDepth = 16;

        private readonly List<(StringBuilder Members, List<CharacterSet> Inner)> _operands = [(new(), [])];
        private bool _negated;

        /// <summary>Reads a class whose [ stands at a place, which is moved behind its ].</summary>
        public static CharacterSet Read(string pattern, ref int i, int depth)
        {
            if (depth > MaxDepth)
                throw Unreadable(pattern, $"classes within classes more than {MaxDepth} deep");
            CharacterSet set = new();
            int start = i++;
            if (i < pattern.Length && pattern[i] == '^')
            {
                set._negated = true;
                i++;
            }
            for (bool first = true; i < pattern.Length; first = false)
            {
                char c = pattern[i];
                (StringBuilder members, List<CharacterSet> inner) = set._operands[^1];
                if (c == ']' && !first)
                {
                    i++;
                    return set;
                }
                if (c == '&' && i + 1 < pattern.Length && pattern[i + 1] == '&')
                {
                    set._operands.Add((new(), []));
                    i += 2;
                }
                else if (c == '[' && i + 1 < pattern.Length && pattern[i + 1] == ':')
                {
                    i = Posix(pattern, i, set._operands[^1]);
                }
                else if (c == '[')
                {
                    inner.Add(Read(pattern, ref i, depth + 1));
                }
                else if (c == '\\')
                {
                    i = Escape(pattern, i, members, inClass: true);
                }
                else if (char.IsHighSurrogate(c))
                {
                    i = BeyondBasicPlane(pattern, i, members);
                }
                else
                {
                    members.Append(c);
                    i++;
                }
            }
            throw Unreadable(pattern[start..], "a [ without its ]");
        }

        /// <summary>The class as something that matches one character.</summary>
        public string Translate()
        {
            if (_operands is [(var only, { Count: 0 })])
                return $"[{(_negated ? "^" : "")}{only}]";
            StringBuilder all = new();
            for (int k = 0; k < _operands.Count; k++)
            {
                (StringBuilder members, List<CharacterSet> inner) = _operands[k];
                IEnumerable<string> either = inner.Select(s => s.Translate());
                if (members.Length > 0)
                    either = either.Prepend($"[{members}]");
                string operand = $"(?:{string.Join('|', either)})";
                all.Append(k < _operands.Count - 1 ? $"(?={operand})" : operand);
            }
            return _negated ? $@"(?:(?!{all})[\s\S])" : $"(?:{all})";
        }

        // A character, or a range of them, in the form that the text has when it is matched: a stand-in for each category that occurs.
        private static int BeyondBasicPlane(string pattern, int i, StringBuilder members)
        {
            int first = CodePointAt(pattern, ref i), last = first;
            if (i + 1 < pattern.Length && pattern[i] == '-' && pattern[i + 1] != ']')
            {
                i++;
                last = CodePointAt(pattern, ref i);
            }
            if (last < first || (members.Length > 0 && members[^1] == '-'))
                throw Unreadable(pattern, "a range of characters in a class that ends before it begins, or begins in the basic plane and ends outside of it, which is not supported");
            foreach (char standIn in Enumerable.Range(first, last - first + 1).Select(RegexPattern.StandIn).Distinct())
                members.Append("\\u").Append(((int)standIn).ToString("X4", System.Globalization.CultureInfo.InvariantCulture));
            return i;
        }

        private static int CodePointAt(string pattern, ref int i)
        {
            if (i + 1 >= pattern.Length || !char.IsSurrogatePair(pattern[i], pattern[i + 1]))
                throw Unreadable(pattern, "half a character, or a range that ends in the basic plane, in a class, which is not supported");
            i += 2;
            return char.ConvertToUtf32(pattern[i - 2], pattern[i - 1]);
        }

        private static int Posix(string pattern, int i, (StringBuilder Members, List<CharacterSet> Inner) operand)
        {
            int close = pattern.IndexOf(":]", i, StringComparison.Ordinal);
            if (close < 0)
                throw Unreadable(pattern, "a [: without its :]");
            string name = pattern[(i + 2)..close];
            bool negated = name.StartsWith('^');
            // Unlike \p{Punct}, the POSIX class holds symbols too.
            string members = name.TrimStart('^').Equals("punct", StringComparison.OrdinalIgnoreCase) ? @"\p{P}\p{S}" : Property(pattern, name.TrimStart('^'));
            if (!negated)
            {
                operand.Members.Append(members);
                return close + 2;
            }
            CharacterSet other = new() { _negated = true };
            other._operands[0].Members.Append(members);
            operand.Inner.Add(other);
            return close + 2;
        }
    }

    private static int Escape(string pattern, int i, StringBuilder result, bool inClass)
    {
        if (i + 1 >= pattern.Length)
            throw Unreadable(pattern, "a \\ at its end");
        char c = pattern[i + 1];
        if (c is 'p' or 'P' && i + 2 < pattern.Length && pattern[i + 2] == '{')
        {
            int close = pattern.IndexOf('}', i);
            if (close < 0)
                throw Unreadable(pattern, "a \\p{ without its }");
            string name = pattern[(i + 3)..close];
            bool negated = c == 'P';
            if (name.StartsWith('^'))
            {
                negated = !negated;
                name = name[1..];
            }
            string content = Property(pattern, name);
            if (content == @"\p{" + name + "}")
                result.Append(negated ? @"\P{" + name + "}" : content);
            else if (inClass && negated)
                throw Unreadable(pattern, $"\\P{{{name}}} within a class, which is not supported");
            else
                result.Append(inClass ? content : (negated ? "[^" : "[") + content + "]");
            return close + 1;
        }
        switch (c)
        {
            case 'w' when inClass:
                // Within a class Oniguruma takes the Unicode property, which lacks the superscripts and fractions of Latin-1.
                result.Append(Properties["Word"]);
                break;
            case 'w':
                result.Append('[').Append(Word).Append(']');
                break;
            case 'W' when !inClass:
                result.Append("[^").Append(Word).Append(']');
                break;
            case 'b' when !inClass:
                result.Append($"(?:(?<=[{Word}])(?![{Word}])|(?<![{Word}])(?=[{Word}]))");
                break;
            case 'B' when !inClass:
                result.Append($"(?:(?<=[{Word}])(?=[{Word}])|(?<![{Word}])(?![{Word}]))");
                break;
            case 'h':
                result.Append(inClass ? "0-9A-Fa-f" : "[0-9A-Fa-f]");
                break;
            case 'R' when !inClass:
                result.Append(@"(?>\r\n|[\n-\r\u0085\u2028\u2029])");
                break;
            case 'x' when i + 2 < pattern.Length && pattern[i + 2] == '{':
                return CodePoint(pattern, i, result);
            case 'K':
                throw Unreadable(pattern, "\\K, which is not supported");
            default:
                result.Append('\\').Append(c);
                break;
        }
        return i + 2;
    }

    private static int CodePoint(string pattern, int i, StringBuilder result)
    {
        int close = pattern.IndexOf('}', i);
        if (close < 0 || !int.TryParse(pattern.AsSpan(i + 3, Math.Max(0, close - i - 3)), System.Globalization.NumberStyles.HexNumber, null, out int value) || value is < 0 or > 0xFFFF)
            throw Unreadable(pattern, "a \\x{…} that is no character of the basic plane");
        result.Append("\\u").Append(value.ToString("X4"));
        return close + 1;
    }

    private static string Property(string pattern, string name)
    {
        if (Properties.TryGetValue(name, out string? content))
            return content;
        if (name.Length <= 2)
            return @"\p{" + name + "}";
        throw Unreadable(pattern, $"the property {name}, which is not supported");
    }

    private static InvalidDataException Unreadable(string pattern, string what)
    {
        return new InvalidDataException($"The regular expression {pattern} has {what}.");
    }
}
