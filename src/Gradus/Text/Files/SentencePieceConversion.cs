using System.Text;

namespace Gradus.Text;

/// <summary>
/// Writes a SentencePiece tokenizer as the parts that tokenizer.json knows, as transformers' converters do. Ids stay the same for text
/// without user-defined symbols next to white space; the control tokens, which SentencePiece never finds in text, are then found.
/// </summary>
internal static class SentencePieceConversion
{
    /// <summary>The parts to write: the same ones for every tokenizer that is no SentencePiece model.</summary>
    public static TokenizerParts Convert(Tokenizer tokenizer)
    {
        TokenizerParts parts = tokenizer.Parts;
        if (parts.Normalizer is not SentencePieceNormalizer normalizer)
            return parts;
        if (normalizer.IsSuffix)
            throw new NotSupportedException("A SentencePiece model with white space as a suffix cannot be written as tokenizer.json, which has no such setting. Keep the .model file.");
        List<Normalizer> normalizers = [];
        if (normalizer.CharsmapBlob.Length > 0)
            normalizers.Add(new PrecompiledNormalizer(normalizer.CharsmapBlob));
        if (normalizer.RemoveExtraWhitespaces)
        {
            // Only spaces, not all white space; at the end a mark that the text itself has goes too.
            normalizers.Add(new ReplaceNormalizer(@"\A +|[ ▁]+\z", isRegex: true, ""));
            normalizers.Add(new ReplaceNormalizer(" {2,}", isRegex: true, " "));
        }
        // Without symbols in the text the whole text is one part, and a prefix before every part is one before the text.
        bool simple = normalizer.UserDefinedIds.Count == 0 && !normalizer.PrefixFirstOnly;
        if (simple && normalizer.AddDummyPrefix)
            normalizers.Add(new PrependNormalizer("▁"));
        if (simple)
            normalizers.Add(new ReplaceNormalizer(" ", isRegex: false, "▁"));
        List<TokenDecoder> decoders = [new ReplaceDecoder("▁", isRegex: false, " "), new ByteFallbackDecoder(), new FuseDecoder()];
        if (normalizer.AddDummyPrefix)
            decoders.Add(new StripDecoder(new Rune(' '), start: 1, stop: 0));
        List<AddedToken> added = [.. parts.AddedTokens];
        foreach (int id in normalizer.UserDefinedIds)
        {
            if (added.All(a => a.Id != id))
                added.Add(new AddedToken(id, parts.Model.Vocabulary.GetToken(id)!, Special: false));
        }
        return parts with
        {
            Normalizer = normalizers.Count == 0 ? null : new NormalizerSequence(normalizers),
            PreTokenizer = simple ? null : new MetaspacePreTokenizer(new Rune('▁'), normalizer.AddDummyPrefix ? PrependScheme.First : PrependScheme.Never, split: false),
            Decoder = new DecoderSequence(decoders),
            AddedTokens = added,
        };
    }
}
