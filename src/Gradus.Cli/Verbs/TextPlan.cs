using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Generation.Structure;

namespace Gradus.Cli.Verbs;

/// <summary>How the texts of a prompt are made.</summary>
/// <param name="Sampling">How tokens are drawn.</param>
/// <param name="Structure">What the text must look like, or null.</param>
/// <param name="Search">How it is searched for.</param>
/// <param name="Count">Texts wanted.</param>
/// <param name="Alternatives">Alternatives wanted beside the log-probability of each token; null for no log-probabilities.</param>
/// <param name="Limit">The most time a text may take; null for any.</param>
internal sealed record TextPlan(TextSampling Sampling, Grammar? Structure, Search Search, int Count, int? Alternatives, TimeSpan? Limit)
{
    /// <summary>What guesses tokens ahead, or null.</summary>
    public Speculation? Speculation { get; init; }

    /// <summary>The request of one of the texts.</summary>
    /// <param name="writer">The model.</param>
    /// <param name="request">What is read.</param>
    /// <param name="index">The number of the text.</param>
    public GenerationRequest Request(TextGenerator writer, GenerationRequest request, int index)
    {
        request = Sampling.Apply(request, index) with
        {
            Speculation = Speculation,
            LogProbabilities = Alternatives is not null || Search.BestOf is not null,
            Alternatives = Math.Min(Alternatives ?? 0, writer.Bundle.Model.Config.Vocabulary),
        };
        return Sampling.WithState(Structure is null ? request : writer.Follow(request, Structure));
    }

    /// <summary>Starts the texts of a prompt; what was drawn is in the order of the seeds, what was searched the best first.</summary>
    /// <param name="writer">The model.</param>
    /// <param name="request">What is read.</param>
    /// <param name="show">Given the text as it comes, where there is one; null for nobody.</param>
    /// <param name="cancellation">Ends the work.</param>
    public async Task<IReadOnlyList<GeneratedText>> Run(TextGenerator writer, GenerationRequest request, Action<string>? show, CancellationToken cancellation)
    {
        if (Search.IsExact)
            return await Task.Run(() => FindInTime(writer, Request(writer, request, 0), cancellation), cancellation).ConfigureAwait(false);
        int drawn = Search.BestOf ?? Count;
        GeneratedText[] texts = await Task.WhenAll(Enumerable.Range(0, drawn).Select(i =>
            writer.Write(Request(writer, request, i), Sampling.StopTexts, Limit, drawn == 1 ? show : null, cancellation))).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        if (Search.BestOf is not null)
            return [GeneratedText.MostProbable(texts)];
        if (Search.Vote is { } pattern)
            return GeneratedText.MostAgreed(texts, text => Answer(pattern, text)) is { } agreed ? [agreed] : [];
        return texts;
    }

    private IReadOnlyList<GeneratedText> FindInTime(TextGenerator writer, GenerationRequest request, CancellationToken cancellation)
    {
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (Limit is { } limit)
            late.CancelAfter(limit);
        try
        {
            return Find(writer, request, late.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new InvalidDataException($"The search took longer than {Limit!.Value.TotalSeconds:0.###} seconds and has no text yet; allow more time, or search with less.");
        }
    }

    private IReadOnlyList<GeneratedText> Find(TextGenerator writer, GenerationRequest request, CancellationToken cancellation)
    {
        if (Search.Contrastive is { } alpha)
        {
            using ContrastiveSearch search = new(writer.Bundle.Generative);
            (int[] ids, FinishReason finish) = search.Run(new ContrastiveRequest(request, alpha, Math.Min(Search.Candidates, writer.Bundle.Model.Config.Vocabulary)), null, cancellation);
            return [writer.TextOf(request, ids, finish, Sampling.StopTexts)];
        }
        using BeamSearch beams = new(writer.Bundle.Generative);
        BeamSearchRequest wanted = new(request.Prompt)
        {
            Source = request.Source,
            Beams = Search.Beams!.Value,
            Returned = Count,
            Groups = Search.Groups,
            DiversityPenalty = Search.Groups > 1 ? Search.Diversity : 0,
            LengthPenalty = Search.LengthPenalty,
            MaxNewTokens = request.MaxNewTokens,
            StopTokens = request.StopTokens,
            Steps = request.Steps,
        };
        return [.. beams.Run(wanted, cancellation).Select(h => writer.TextOf(
            request, h.Generated, h.Generated is [.., var last] && request.StopTokens.Contains(last) ? FinishReason.StopToken : FinishReason.Length, Sampling.StopTexts, h.Score))];
    }

    private static string? Answer(System.Text.RegularExpressions.Regex pattern, string text) =>
        pattern.Matches(text).LastOrDefault() is { } match ? (match.Groups.Count > 1 ? match.Groups[1] : match).Value.Trim() : null;
}
