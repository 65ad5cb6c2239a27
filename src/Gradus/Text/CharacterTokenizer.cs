using System.Text;

namespace Gradus.Text;

/// <summary>Tokenizers with one id per distinct character, for small models trained on characters.</summary>
public static class CharacterTokenizer
{
    /// <summary>
    /// A tokenizer with an id for every distinct character (code point) of a text, in the order of their numbers, after the special
    /// tokens. It is a BPE without merges, so that it saves and loads as tokenizer.json; characters it does not know are dropped
    /// unless there is an unknown token.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="specialTokens">Tokens with the first ids, such as <c>&lt;|endoftext|&gt;</c>.</param>
    /// <param name="unknownToken">The token for characters the text does not have, or null; it is put among the special tokens.</param>
    public static Tokenizer Train(string text, IReadOnlyList<string>? specialTokens = null, string? unknownToken = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Train([text], specialTokens, unknownToken);
    }

    /// <summary>The same over many texts, which are read once and not kept.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="specialTokens">Tokens with the first ids.</param>
    /// <param name="unknownToken">The token for characters the texts do not have, or null.</param>
    public static Tokenizer Train(IEnumerable<string> texts, IReadOnlyList<string>? specialTokens = null, string? unknownToken = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        SortedSet<int> characters = [];
        foreach (string text in texts)
        {
            foreach (Rune rune in text.EnumerateRunes())
                characters.Add(rune.Value);
        }
        List<string> special = [.. specialTokens ?? []];
        if (unknownToken is not null && !special.Contains(unknownToken))
            special.Add(unknownToken);
        Vocabulary.Builder vocabulary = new(byteLevel: false, characters.Count + special.Count);
        List<AddedToken> added = [];
        foreach (string token in special)
        {
            added.Add(new AddedToken(vocabulary.Count, token));
            vocabulary.Add(Encoding.UTF8.GetBytes(token), vocabulary.Count);
        }
        foreach (int c in characters)
            vocabulary.Add(Encoding.UTF8.GetBytes(new Rune(c).ToString()), vocabulary.Count);
        return new Tokenizer(new TokenizerParts(Bpe.FromMerges(vocabulary.Build("vocabulary"), [], new BpeOptions(UnknownToken: unknownToken)))
        {
            AddedTokens = added,
            Decoder = new FuseDecoder(),
            SpecialTokens = new SpecialTokens(Unknown: unknownToken, Eos: special.Find(t => t == "<|endoftext|>")),
        });
    }
}
