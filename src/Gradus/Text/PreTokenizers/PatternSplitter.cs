// Hand-written splitters for the pre-token patterns that most published vocabularies use. Each does what its regular expression does,
// in one forward pass over UTF-8, without a regular-expression engine.
// Sources: the patterns of GPT-2's encoder.py, tiktoken's cl100k_base and o200k_base, and Qwen2's tokenizer.json.
// Every other pattern runs through System.Text.RegularExpressions (RegexPattern.cs).

namespace Gradus.Text;

/// <summary>Cuts a text into contiguous pieces: every byte of the text belongs to exactly one.</summary>
internal abstract class PatternSplitter
{
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    public const string Gpt2ShortPattern = @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    public const string Cl100kPattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    public const string Qwen2Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    public const string O200kPattern = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const byte NoSpace = CharacterClasses.Letter | CharacterClasses.Number | CharacterClasses.Other;

    public static PatternSplitter Gpt2 { get; } = new Gpt2Splitter();
    public static PatternSplitter Cl100k { get; } = new Cl100kSplitter(3);
    public static PatternSplitter Qwen2 { get; } = new Cl100kSplitter(1);
    public static PatternSplitter O200k { get; } = new O200kSplitter();

    /// <summary>The end of the piece that starts at <paramref name="i"/>; the piece is never empty. The text is well-formed UTF-8.</summary>
    public abstract int Next(ReadOnlySpan<byte> text, int i);

    /// <summary>The hand-written splitter of a pattern, or null where there is none.</summary>
    public static PatternSplitter? ForPattern(string pattern)
    {
        return pattern switch
        {
            Gpt2Pattern or Gpt2ShortPattern => Gpt2,
            Cl100kPattern => Cl100k,
            Qwen2Pattern => Qwen2,
            O200kPattern => O200k,
            _ => null,
        };
    }

    /// <summary>The length of an English contraction at <paramref name="i"/> ('s 't 're 've 'm 'll 'd), or 0.</summary>
    private protected static int Contraction(ReadOnlySpan<byte> text, int i, bool anyCase)
    {
        if (i + 1 >= text.Length || text[i] != '\'')
            return 0;
        int fold = anyCase ? 0x20 : 0;
        int a = text[i + 1] | fold;
        if (a is 's' or 't' or 'm' or 'd')
            return 2;
        if (i + 2 >= text.Length)
            return 0;
        int b = text[i + 2] | fold;
        if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
            return 3;
        // The long s folds to s.
        return anyCase && text[i + 1] == 0xC5 && text[i + 2] == 0xBF ? 3 : 0;
    }

    /// <summary>The last two alternatives, <c>\s+(?!\S)|\s+</c>: a run of white space leaves its last character to what follows.</summary>
    private protected static int WhiteSpace(ReadOnlySpan<byte> text, int i)
    {
        int end = CharacterClasses.Run(text, i, CharacterClasses.Space);
        if (end == text.Length)
            return end;
        int last = CharacterClasses.Previous(text, end);
        return last > i ? last : end;
    }

    private sealed class Gpt2Splitter : PatternSplitter
    {
        public override int Next(ReadOnlySpan<byte> text, int i)
        {
            int start = i;
            byte b = text[i];
            if (b == '\'')
            {
                int contraction = Contraction(text, i, anyCase: false);
                if (contraction > 0)
                    return i + contraction;
            }
            else if (b == ' ')
            {
                if (i + 1 >= text.Length)
                    return i + 1;
                i++;
            }
            byte flags = CharacterClasses.At(text, i, out int length);
            if ((flags & NoSpace) != 0)
                return CharacterClasses.Run(text, i + length, (byte)(flags & NoSpace));
            return WhiteSpace(text, start);
        }
    }

    private sealed class Cl100kSplitter(int maxDigits) : PatternSplitter
    {
        public override int Next(ReadOnlySpan<byte> text, int i)
        {
            byte flags = CharacterClasses.At(text, i, out int length);
            if ((flags & CharacterClasses.Letter) != 0)
                return CharacterClasses.Run(text, i + length, CharacterClasses.Letter);
            if ((flags & CharacterClasses.Number) != 0)
                return Digits(text, i + length, maxDigits - 1);
            if (text[i] == '\'')
            {
                int contraction = Contraction(text, i, anyCase: true);
                if (contraction > 0)
                    return i + contraction;
            }
            int next = i + length;
            byte nextFlags = next < text.Length ? CharacterClasses.At(text, next, out int nextLength) : (byte)(nextLength = 0);
            if ((nextFlags & CharacterClasses.Letter) != 0 && (flags & CharacterClasses.NewLine) == 0)
                return CharacterClasses.Run(text, next + nextLength, CharacterClasses.Letter);
            if ((flags & CharacterClasses.Other) != 0 || (text[i] == ' ' && (nextFlags & CharacterClasses.Other) != 0))
                return CharacterClasses.Run(text, CharacterClasses.Run(text, next, CharacterClasses.Other), CharacterClasses.NewLine);
            return LineBreakOrSpace(text, i);
        }
    }

    private protected static int Digits(ReadOnlySpan<byte> text, int i, int more)
    {
        while (more-- > 0 && i < text.Length && (CharacterClasses.At(text, i, out int length) & CharacterClasses.Number) != 0)
            i += length;
        return i;
    }

    /// <summary><c>\s*[\r\n]+|\s+(?!\S)|\s+</c></summary>
    private protected static int LineBreakOrSpace(ReadOnlySpan<byte> text, int i)
    {
        int end = CharacterClasses.Run(text, i, CharacterClasses.Space);
        int newLine = text[i..end].LastIndexOfAny((byte)'\r', (byte)'\n');
        if (newLine >= 0)
            return i + newLine + 1;
        if (end == text.Length)
            return end;
        int last = CharacterClasses.Previous(text, end);
        return last > i ? last : end;
    }

    private sealed class O200kSplitter : PatternSplitter
    {
        public override int Next(ReadOnlySpan<byte> text, int i)
        {
            byte flags = CharacterClasses.At(text, i, out int length);
            if ((flags & CharacterClasses.Number) != 0)
                return Digits(text, i + length, 2);
            int next = i + length;
            // A leading character that is no letter, digit or line break may belong to the word after it.
            int afterPrefix = (flags & (CharacterClasses.Letter | CharacterClasses.NewLine)) == 0 && next < text.Length ? next : -1;
            int end = LowerWord(text, afterPrefix);
            if (end < 0)
                end = LowerWord(text, i);
            if (end < 0)
                end = UpperWord(text, afterPrefix);
            if (end < 0)
                end = UpperWord(text, i);
            if (end >= 0)
                return end + Contraction(text, end, anyCase: true);
            bool spaceThenOther = text[i] == ' ' && next < text.Length && (CharacterClasses.At(text, next, out _) & CharacterClasses.Other) != 0;
            if ((flags & CharacterClasses.Other) != 0 || spaceThenOther)
            {
                end = CharacterClasses.Run(text, next, CharacterClasses.Other);
                while (end < text.Length && text[end] is (byte)'\r' or (byte)'\n' or (byte)'/')
                    end++;
                return end;
            }
            return LineBreakOrSpace(text, i);
        }

        /// <summary><c>[upper]*[lower]+</c> with the backtracking that the overlap of the two sets asks for; −1 where it does not match.</summary>
        private static int LowerWord(ReadOnlySpan<byte> text, int i)
        {
            if (i < 0)
                return -1;
            int upper = CharacterClasses.Run(text, i, CharacterClasses.UpperSet);
            int lower = CharacterClasses.Run(text, upper, CharacterClasses.LowerSet);
            if (lower > upper)
                return lower;
            while (upper > i)
            {
                int last = CharacterClasses.Previous(text, upper);
                if ((CharacterClasses.At(text, last, out _) & CharacterClasses.LowerSet) != 0)
                    return upper;
                upper = last;
            }
            return -1;
        }

        /// <summary><c>[upper]+[lower]*</c>, tried only where no lower-case word matches.</summary>
        private static int UpperWord(ReadOnlySpan<byte> text, int i)
        {
            if (i < 0)
                return -1;
            int upper = CharacterClasses.Run(text, i, CharacterClasses.UpperSet);
            return upper == i ? -1 : CharacterClasses.Run(text, upper, CharacterClasses.LowerSet);
        }
    }
}
