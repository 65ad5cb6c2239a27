using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Gradus.Bundle;
using Gradus.Evaluation.Metrics;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tasks;

/// <summary>How a <see cref="LocalModel"/> answers.</summary>
/// <param name="Batch">Texts that are written at once, 1 or more.</param>
/// <param name="Seed">Which texts are drawn where a task draws.</param>
/// <param name="Precision">How matrix products round their operands where whole texts are scored.</param>
public sealed record LocalModelOptions(int Batch = 16, ulong Seed = 0, Precision Precision = Precision.F32);

/// <summary>
/// A model on this machine. Answers are the same to the last bit for every batch size, order and number of threads. A prompt that is longer than
/// the model's context loses its beginning, which is noted.
/// </summary>
public sealed class LocalModel : IEvalModel
{
    private const int WindowTokens = 4096;
    private readonly ModelBundle _bundle;
    private readonly GenerativeModel _model;
    private readonly LocalModelOptions _options;
    private readonly TextEncoding _encoding;
    private readonly List<string> _notes = [];
    private int _shortened;

    /// <summary>Puts a model to the test.</summary>
    /// <param name="bundle">The model; it must outlive this.</param>
    /// <param name="options">How it answers; the defaults where null.</param>
    /// <exception cref="InvalidDataException">The model does not write text.</exception>
    public LocalModel(ModelBundle bundle, LocalModelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        _options = options ?? new LocalModelOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.Batch, 1, nameof(options));
        _bundle = bundle;
        _model = bundle.Generative;
        _encoding = new TextEncoding(Encode, bundle.Tokenizer.BosId ?? bundle.Tokenizer.EosId ?? bundle.Tokenizer.EndOfText, bundle.ReadsSource);
        Name = NameOf(bundle.Location, _options);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> Notes => [.. _notes, .. _shortened > 0 ? [$"{_shortened} prompts were longer than the model's context of {_bundle.ContextLength} tokens and lost their beginning"] : Array.Empty<string>()];

    /// <inheritdoc/>
    public void Answer(IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(answered);
        _notes.Clear();
        _shortened = 0;
        int[] Of<T>() => [.. Enumerable.Range(0, requests.Count).Where(i => requests[i] is T)];
        int[] likelihoods = Of<LogLikelihoodRequest>(), rolling = Of<RollingRequest>(), generated = Of<GenerateRequest>();
        if (likelihoods.Length > 0)
            Score(likelihoods, requests, answered, cancellation);
        if (rolling.Length > 0)
            Roll(rolling, requests, answered, cancellation);
        if (generated.Length > 0)
            new TextWriting(_bundle, _options, () => _shortened++).Write(generated, requests, answered, cancellation);
    }

    /// <summary>A conversation as the model's chat template writes it.</summary>
    /// <param name="messages">The messages.</param>
    /// <param name="begins">Whether the beginning of an answer follows; else the last message is what the model goes on from.</param>
    /// <exception cref="InvalidDataException">The model has no chat template.</exception>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages, bool begins)
    {
        ArgumentNullException.ThrowIfNull(messages);
        Text.Tokenizer tokenizer = _bundle.Tokenizer;
        string text = _bundle.Chat.Template.Render(new ChatConversation(messages), new ChatRenderOptions(
            begins,
            tokenizer.BosId is { } bos ? tokenizer.IdToToken(bos) : null,
            tokenizer.EosId is { } eos ? tokenizer.IdToToken(eos) : null));
        string last = PythonText.Strip(messages[^1].Text ?? "");
        int end = begins || messages[^1].Role != "assistant" ? -1 : text.LastIndexOf(last, StringComparison.Ordinal);
        return end < 0 ? text : text[..end] + (messages[^1].Text ?? "").TrimStart();
    }

    private void Score(int[] places, IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation)
    {
        LogLikelihoodRequest[] asked = [.. places.Select(p => (LogLikelihoodRequest)requests[p])];
        (int[] Context, int[] Continuation)[] pairs = new (int[], int[])[asked.Length];
        Parallel.For(0, asked.Length, new ParallelOptions { CancellationToken = cancellation }, i => pairs[i] = _encoding.Pair(asked[i].Context, asked[i].Continuation));
        ScoringRequest[] scoring = [.. pairs.Zip(asked, Fit)];
        using SequenceScorer scorer = new(_model);
        scorer.Score(scoring, (i, score) => answered(places[i], new LikelihoodResponse(score.LogProbability, score.IsGreedy)), cancellation);
    }

    private ScoringRequest Fit((int[] Context, int[] Continuation) pair, LogLikelihoodRequest request)
    {
        (int[] context, int[] continuation) = pair.Context.Length > 0 ? pair : _encoding.Pair("", request.Continuation);
        int length = _bundle.ContextLength;
        if (context.Length == 0)
            throw new InvalidDataException($"The tokenizer makes no token of the context \"{Excerpt(request.Context)}\" and of what follows it; there is nothing to score.");
        if (continuation.Length > length)
            throw new InvalidDataException($"The continuation \"{Excerpt(request.Continuation)}\" has {continuation.Length} tokens, more than the model's context of {length}.");
        int room = _bundle.ReadsSource ? length : length + 1 - continuation.Length;
        if (context.Length <= room)
            return new ScoringRequest(context, continuation);
        _shortened++;
        return new ScoringRequest(context[^room..], continuation);
    }

    // Windows do not overlap, so nothing is shared and no cache is needed.
    private void Roll(int[] places, IReadOnlyList<EvalRequest> requests, Action<int, EvalResponse> answered, CancellationToken cancellation)
    {
        double[] sums = new double[places.Length];
        int[] left = new int[places.Length];
        List<(int Request, int[] Context, int[] Predicted)> windows = [];
        for (int i = 0; i < places.Length; i++)
        {
            foreach ((int[] context, int[] predicted) in _encoding.Rolling(((RollingRequest)requests[places[i]]).Text, _bundle.ContextLength))
            {
                windows.Add((i, context, predicted));
                left[i]++;
            }
            if (left[i] == 0)
                throw new InvalidDataException($"The text \"{Excerpt(((RollingRequest)requests[places[i]]).Text)}\" has no token to predict.");
        }
        using Workspace workspace = _model.Parts.Store.NewScratch(_options.Precision);
        for (int start = 0; start < windows.Count;)
        {
            cancellation.ThrowIfCancellationRequested();
            int end = start, tokens = 0;
            while (end < windows.Count && (end == start || tokens + windows[end].Predicted.Length <= WindowTokens))
                tokens += windows[end++].Predicted.Length;
            var batch = windows[start..end];
            workspace.Reset();
            float[][] losses = Losses(batch, workspace);
            for (int w = 0; w < batch.Count; w++)
            {
                int request = batch[w].Request;
                foreach (float loss in losses[w])
                    sums[request] -= loss;
                if (--left[request] == 0)
                    answered(places[request], new LikelihoodResponse(sums[request], false));
            }
            start = end;
        }
    }

    // A model with an encoder reads the token before a window as its source and writes the window; others read both.
    private float[][] Losses(List<(int Request, int[] Context, int[] Predicted)> windows, Workspace workspace)
    {
        bool hasEncoder = _model is EncoderDecoderModel;
        int[][] read = [.. windows.Select(w => hasEncoder ? [((EncoderDecoderModel)_model).StartToken, .. w.Predicted[..^1]] : (int[])[.. w.Context, .. w.Predicted[..^1]])];
        List<int> targets = [];
        for (int w = 0; w < read.Length; w++)
        {
            targets.AddRange(Enumerable.Repeat(-100, read[w].Length - windows[w].Predicted.Length));
            targets.AddRange(windows[w].Predicted);
        }
        TokenBatch tokens = TokenBatch.Of(read);
        if (hasEncoder)
            tokens = new TokenBatch(tokens.Ids, tokens.Starts) { Source = TokenBatch.Of([.. windows.Select(w => w.Context)]) };
        ReadOnlySpan<float> losses = _model.Losses(new Pass(tokens, workspace), workspace.From([.. targets])).Values();
        float[][] parts = new float[read.Length][];
        for (int w = 0; w < read.Length; w++)
            parts[w] = losses[(tokens.Starts[w + 1] - windows[w].Predicted.Length)..tokens.Starts[w + 1]].ToArray();
        return parts;
    }

    // What a tokenizer puts behind a text is left out of a decoder's context; a text that begins with the begin token gets no second one.
    private int[] Encode(string text, bool special)
    {
        Text.Tokenizer tokenizer = _bundle.Tokenizer;
        if (!special)
            return tokenizer.Encode(text, addSpecialTokens: false);
        if (_bundle.ReadsSource)
            return SourceText.Encode(text, tokenizer);
        int[] ids = tokenizer.Encode(text);
        if (ids.Length > 1 && ids[0] == tokenizer.BosId && ids[1] == ids[0])
            ids = ids[1..];
        return ids.Length > 0 && tokenizer.EosId is { } eos && ids[^1] == eos && tokenizer.Encode(text, addSpecialTokens: false) is var plain && (plain.Length == 0 || plain[^1] != eos)
            ? ids[..^1]
            : ids;
    }

    private static string Excerpt(string text) => text.Length <= 40 ? text : text[..40] + "…";

    // Answers of other weights under the same path must not be taken for this model's.
    private static string NameOf(ModelLocation location, LocalModelOptions options)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string place in new[] { location.Folder, location.Adapter }.OfType<string>())
        {
            foreach (FileInfo file in Files(place))
                hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{file.FullName}\n{file.Length}\n{file.LastWriteTimeUtc.Ticks}\n")));
        }
        return string.Create(CultureInfo.InvariantCulture, $"{location.Folder} {location.Adapter} {Convert.ToHexStringLower(hash.GetHashAndReset())[..16]} {options.Seed} {options.Precision}");
    }

    private static IEnumerable<FileInfo> Files(string place) => Directory.Exists(place)
        ? new DirectoryInfo(place).EnumerateFiles().OrderBy(f => f.Name, StringComparer.Ordinal)
        : File.Exists(place) ? [new FileInfo(place)] : [];
}
