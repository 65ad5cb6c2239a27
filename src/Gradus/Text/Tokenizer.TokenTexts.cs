using System.Globalization;
using System.Text;

namespace Gradus.Text;

// What each token writes, for output that must follow a grammar.
public sealed partial class Tokenizer
{
    /// <summary>The bytes that each token adds to a text in its middle; none for special tokens and for ids without a token.</summary>
    /// <param name="written">Special tokens that write their content nevertheless, such as the marks around a call of a tool; none where null.</param>
    /// <returns>One entry for each id up to <see cref="VocabularySize"/>.</returns>
    /// <exception cref="NotSupportedException">What a token writes depends on those before it.</exception>
    public byte[][] TokenTexts(IReadOnlySet<int>? written = null)
    {
        byte[][] texts = new byte[VocabularySize][];
        if (DecodesBytes)
        {
            for (int id = 0; id < texts.Length; id++)
                texts[id] = BytesOf(id, skipSpecialTokens: written?.Contains(id) != true).ToArray();
            return texts;
        }
        (int anchor, string before) = FindAnchor();
        for (int id = 0; id < texts.Length; id++)
        {
            string? token = IdToToken(id);
            if (token is null || IsSpecial(id))
                texts[id] = token is not null && written?.Contains(id) == true ? Encoding.UTF8.GetBytes(token) : [];
            else if (token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte b))
                texts[id] = [b];
            else
                texts[id] = Encoding.UTF8.GetBytes(Decode([anchor, id]) is var both && both.StartsWith(before, StringComparison.Ordinal) ? both[before.Length..] : "");
        }
        return texts;
    }

    /// <summary>A token that writes the same text whatever follows, to see what others write after it.</summary>
    private (int Id, string Text) FindAnchor()
    {
        for (int id = 0; id < VocabularySize; id++)
        {
            if (!IsSpecial(id) && Decode([id]) is { Length: > 0 } text && text[0] != '\uFFFD' && Decode([id, id]).StartsWith(text, StringComparison.Ordinal))
                return (id, text);
        }
        throw new NotSupportedException("The tokenizer has no token whose text stays as it is before others, so that what tokens write is not known.");
    }
}
