using Gradus.Bundle;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Text;

namespace Gradus.Server.Catalog;

/// <summary>
/// Says how well texts answer a question, with a model that reads both together and gives one number (a cross-encoder; Nogueira and Cho,
/// "Passage Re-ranking with BERT", 2019). A pair has the same score in any company.
/// </summary>
internal sealed class PairRanker
{
    private const int BatchTokens = 4096;
    private readonly ModelBundle _bundle;
    private readonly TaskModel _model;

    private PairRanker(ModelBundle bundle, TaskModel model)
    {
        _bundle = bundle;
        _model = model;
    }

    /// <summary>The ranker of a model; null where the model is none.</summary>
    public static PairRanker? Of(ModelBundle bundle) =>
        bundle.Model is TaskModel { Head: SequenceHead } model && model.Config.Labels.Count == 1 ? new PairRanker(bundle, model) : null;

    /// <summary>The tokens of a question with a text; a text that is too long is cut at its end.</summary>
    public TokenEncoding Encode(string question, string text) =>
        _bundle.Tokenizer.EncodePair(question, text, truncation: new Truncation(_bundle.ContextLength, TruncationStrategy.OnlySecond));

    /// <summary>The score of each pair, before any squashing.</summary>
    public float[] Rank(IReadOnlyList<TokenEncoding> pairs, CancellationToken cancellation)
    {
        List<float> scores = [];
        for (int at = 0; at < pairs.Count;)
        {
            cancellation.ThrowIfCancellationRequested();
            int end = at, tokens = 0;
            while (end < pairs.Count && (end == at || tokens + pairs[end].Length <= BatchTokens))
                tokens += pairs[end++].Length;
            scores.AddRange(Score([.. pairs.Skip(at).Take(end - at)]));
            at = end;
        }
        return [.. scores];
    }

    private float[] Score(TokenEncoding[] pairs)
    {
        using Workspace workspace = _model.Parts.Store.NewScratch();
        int[] types = [.. pairs.SelectMany(p => p.TypeIds)];
        TokenBatch whole = TokenBatch.Of([.. pairs.Select(p => p.Ids)]);
        TokenBatch batch = types.Any(t => t != 0) ? new TokenBatch(whole.Ids, whole.Starts, null, types) : whole;
        return _model.Scores(new Pass(batch, workspace)).ToArray();
    }
}
