namespace Gradus.Text;

/// <summary>What a trained vocabulary does with the text it was trained on.</summary>
/// <param name="VocabularySize">The tokens, special ones included.</param>
/// <param name="TextBytes">The bytes of text, without special tokens.</param>
/// <param name="DistinctWords">The distinct pieces (pre-tokens) of the text.</param>
/// <param name="TextTokens">The tokens that the text becomes.</param>
/// <param name="UsedTokens">How many tokens of the vocabulary occur in that.</param>
/// <param name="LongestTokens">The longest tokens, longest first, as they read.</param>
public sealed record TokenizerTrainingReport(int VocabularySize, long TextBytes, int DistinctWords, long TextTokens, int UsedTokens, IReadOnlyList<string> LongestTokens)
{
    private const int Longest = 20;

    /// <summary>Bytes of text a token stands for on average: more is better compression. 0 for no text.</summary>
    public double BytesPerToken => TextTokens == 0 ? 0 : (double)TextBytes / TextTokens;

    /// <summary>The share of the vocabulary that occurs in the text, 0 to 1.</summary>
    public double VocabularyUse => VocabularySize == 0 ? 0 : (double)UsedTokens / VocabularySize;

    internal static TokenizerTrainingReport Create(Tokenizer tokenizer, long bytes, int distinct, long[] useOfIds)
    {
        List<(int Length, string Text)> tokens = [];
        Vocabulary vocabulary = tokenizer.Parts.Model.Vocabulary;
        for (int id = 0; id < vocabulary.Count; id++)
        {
            if (!tokenizer.IsSpecial(id))
                tokens.Add((vocabulary.GetBytes(id).Length, System.Text.Encoding.UTF8.GetString(vocabulary.GetBytes(id))));
        }
        return new TokenizerTrainingReport(tokenizer.VocabularySize, bytes, distinct, useOfIds.Sum(), useOfIds.Count(n => n > 0),
            [.. tokens.OrderByDescending(t => t.Length).ThenBy(t => t.Text, StringComparer.Ordinal).Take(Longest).Select(t => t.Text)]);
    }
}

/// <summary>A tokenizer that was just trained, with its report.</summary>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="Report">What it does with its training text.</param>
public sealed record TrainedTokenizer(Tokenizer Tokenizer, TokenizerTrainingReport Report);
