using System.Diagnostics;
using Gradus.Generation;
using Gradus.Generation.Structure;

namespace Gradus.Bundle;

/// <summary>Writes texts with a model on an engine: any number at once, each with stop texts, a structure, and a limit of time.</summary>
/// <param name="bundle">The model; it must outlive this.</param>
/// <param name="engine">An engine that runs it; it must outlive this.</param>
public sealed class TextGenerator(ModelBundle bundle, GenerationEngine engine)
{
    private readonly Lazy<TokenBytes> _tokens = new(() => new TokenBytes(bundle.Tokenizer.TokenTexts()));

    /// <summary>The model.</summary>
    public ModelBundle Bundle => bundle;

    /// <summary>The request with its text held to a grammar; the text is complete within the request's tokens.</summary>
    /// <param name="request">The request.</param>
    /// <param name="grammar">What the text must look like.</param>
    /// <exception cref="StructureException">The vocabulary cannot write such a text, or not with so few tokens.</exception>
    public GenerationRequest Follow(GenerationRequest request, Grammar grammar)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(grammar);
        int room = engine.LongestAnswer(request);
        // The token that ends the text has its place too.
        int most = request.StopTokens.Count > 0 ? Math.Max(1, room - 1) : room;
        GrammarMatcher Match() => new(grammar, _tokens.Value, request.StopTokens, most);
        _ = Match();
        return request with { MaxNewTokens = room, Constraint = Match };
    }

    /// <summary>Writes a text.</summary>
    /// <param name="request">What is read and how tokens are chosen.</param>
    /// <param name="stops">Texts that end it, and are not part of it.</param>
    /// <param name="limit">The most time it may take; null for any.</param>
    /// <param name="show">Given the text as it comes; null for nobody.</param>
    /// <param name="cancellation">Ends the text early; what there is of it is the result.</param>
    /// <exception cref="ArgumentException">A value of the request does not fit the model; one line that says which.</exception>
    public async Task<GeneratedText> Write(GenerationRequest request, IReadOnlyList<string> stops, TimeSpan? limit = null, Action<string>? show = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        long start = Stopwatch.GetTimestamp();
        double first = 0, last = 0;
        GenerationStream stream = engine.Submit(request, cancellation: cancellation);
        StreamedText text = new(bundle.Tokenizer, request.TextBefore, stops);
        int taken = 0;
        bool isLate = false;
        await using Timer? timer = limit is { } time ? new Timer(_ => { Volatile.Write(ref isLate, true); stream.Cancel(); }, null, time, Timeout.InfiniteTimeSpan) : null;
        await foreach (GeneratedToken token in stream.ConfigureAwait(false))
        {
            last = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (taken++ == 0)
                first = last;
            Show(text.Append(token.Id));
            if (text.Stopped)
                break;
        }
        GenerationResult result = await stream.Completion.ConfigureAwait(false);
        Show(text.Finish());
        TextEnd end = text.Stopped ? TextEnd.StopText
            : result.Finish != FinishReason.Cancelled ? TextEnd.Tokens
            : Volatile.Read(ref isLate) ? TextEnd.Time : TextEnd.Cancelled;
        bool scored = request.LogProbabilities;
        return new GeneratedText(text.Text, result.Generated[..taken], result.Finish, end, request)
        {
            LogProbabilities = scored ? result.LogProbabilities[..taken] : [],
            Alternatives = scored ? result.Alternatives[..taken] : [],
            CachedTokens = result.CachedTokens,
            Timing = new TextTiming(first, last, request.TokensRead - result.CachedTokens, taken),
        };

        void Show(string part)
        {
            if (part.Length > 0)
                show?.Invoke(part);
        }
    }

    /// <summary>The text of tokens that a search has found.</summary>
    /// <param name="request">What was asked for.</param>
    /// <param name="ids">The tokens.</param>
    /// <param name="finish">Why they ended.</param>
    /// <param name="stops">Texts that end it, and are not part of it.</param>
    /// <param name="score">The search's score, or null.</param>
    public GeneratedText TextOf(GenerationRequest request, int[] ids, FinishReason finish, IReadOnlyList<string> stops, double? score = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(ids);
        StreamedText text = new(bundle.Tokenizer, request.TextBefore, stops);
        int taken = 0;
        while (taken < ids.Length && !text.Stopped)
            text.Append(ids[taken++]);
        text.Finish();
        return new GeneratedText(text.Text, ids[..taken], finish, text.Stopped ? TextEnd.StopText : TextEnd.Tokens, request) { Score = score };
    }
}
