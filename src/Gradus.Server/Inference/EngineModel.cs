using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Threading.Channels;
using Gradus.Bundle;
using Gradus.Clients;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Server.Http;

namespace Gradus.Server.Inference;

/// <summary>
/// A model of ours behind a <see cref="GenerationEngine"/>: requests become token ids, the tokens that come become text and calls. Adapters stand beside each
/// other on it, and come and go while it works.
/// </summary>
public sealed class EngineModel : IInferenceModel
{
    private readonly ModelBundle _bundle;
    private readonly GenerationEngine _engine;
    private readonly GrammarCache _grammars = new();
    private readonly PromptFormat _format;
    private readonly ConcurrentDictionary<string, PromptFormat> _adapters = new(StringComparer.Ordinal);

    /// <summary>Starts an engine.</summary>
    /// <param name="bundle">The model; it must outlive this.</param>
    /// <param name="options">How the machine is shared; the defaults where null.</param>
    /// <exception cref="InvalidDataException">The model does not write text, or its chat template cannot be parsed.</exception>
    public EngineModel(ModelBundle bundle, EngineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        _bundle = bundle;
        _format = new PromptFormat(bundle);
        _engine = new GenerationEngine(bundle.Generative, options);
    }

    /// <inheritdoc/>
    public int ContextLength => Math.Min(_bundle.ContextLength, _engine.LongestSequence);

    /// <inheritdoc/>
    public IReadOnlyList<string> Adapters => [.. _adapters.Keys.Order(StringComparer.Ordinal)];

    /// <inheritdoc/>
    public ModelLoad Load
    {
        get
        {
            EngineStatistics s = _engine.Statistics;
            return new ModelLoad(s.Running, s.Waiting, (double)s.PagesInUse / Math.Max(1, s.MostPages), s.PromptTokens, s.CachedTokens, s.GeneratedTokens, s.Preemptions);
        }
    }

    /// <summary>The engine, for its statistics and its kept prefixes.</summary>
    internal GenerationEngine Engine => _engine;

    /// <summary>Loads an adapter beside others, while the model works.</summary>
    /// <param name="name">Its name; free.</param>
    /// <param name="folder">Its folder, in the layout of PEFT.</param>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    /// <exception cref="InvalidDataException">A file is missing or broken, or the adapter does not fit the model, or cannot stand beside others.</exception>
    /// <exception cref="NotSupportedException">The model is a recurrent network.</exception>
    /// <exception cref="InvalidOperationException">The model has an adapter attached for all its requests.</exception>
    public void AddAdapter(string name, string folder) => _adapters[name] = new PromptFormat(_bundle.OpenAdapter(name, folder));

    /// <summary>Takes an adapter away; answers that are written with it go on to their end.</summary>
    /// <returns>Whether there was one of the name.</returns>
    public bool RemoveAdapter(string name)
    {
        if (!_adapters.TryRemove(name, out PromptFormat? format))
            return false;
        format.Dispose();
        return true;
    }

    /// <inheritdoc/>
    public int[] Tokenize(InferencePrompt prompt, string? adapter = null)
    {
        GenerationRequest read = FormatOf(adapter).Read(prompt);
        return read.Source ?? read.Prompt;
    }

    /// <inheritdoc/>
    public InferenceRun Start(InferenceRequest request, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(request);
        PromptFormat format = FormatOf(request.Adapter);
        GenerationRequest read = format.Read(request.Prompt);
        int context = ContextLength;
        // A source is read by an encoder, beside the answer; a prompt shares its context with the answer, which needs room for a token.
        if (read.TokensRead > context - (read.Source is null && request.MaxTokens != 0 ? 1 : 0))
            throw ApiException.TooLong(read.TokensRead, context, PromptParameter(request));
        if (read.Source is not null && (request.Echo || request.PromptLogProbabilities))
            throw ApiException.Invalid("echo", "The model reads its prompt with an encoder, so an answer cannot begin with it; leave echo out.");
        int room = context - read.Prompt.Length;
        ulong? seed = request.Greedy ? null : request.Seed ?? (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);
        bool? reasoning = format.Reasons && request.Prompt is ConversationPrompt ? format.IsReasoning(read) : null;
        GenerationRequest generation = read with
        {
            StopTokens = request.IgnoreEnd ? [] : [.. read.StopTokens, .. request.StopTokens],
            MaxNewTokens = Math.Min(room, request.MaxTokens ?? room),
            LogProbabilities = request.LogProbabilities,
            Alternatives = request.Alternatives,
            PromptLogProbabilitiesFrom = request.PromptLogProbabilities && read.Prompt.Length > 0 ? 1 : null,
        };
        generation = generation with { Steps = Steps(request, generation.StopTokens), Constraint = Constraint(request, generation, format, reasoning == true) };
        GenerationStream[] streams = Submit(request, generation, seed, cancellation);
        return new InferenceRun(read.Source ?? read.Prompt, seed, Pieces(request, read, streams, format, reasoning, cancellation));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _engine.Dispose();
        foreach (string name in _adapters.Keys)
            RemoveAdapter(name);
    }

    private static string PromptParameter(InferenceRequest request) => request.Prompt is ConversationPrompt ? "messages" : "prompt";

    private PromptFormat FormatOf(string? adapter) => adapter is null ? _format : _adapters.GetValueOrDefault(adapter) ?? throw ApiException.NoModel(adapter, Adapters);

    private List<LogitsStep> Steps(InferenceRequest request, IReadOnlyList<int> stopTokens)
    {
        List<LogitsStep> steps = [];
        if (request.Bias.Count > 0)
        {
            foreach (int id in request.Bias.Keys)
            {
                if ((uint)id >= (uint)_bundle.Model.Config.Vocabulary)
                    throw ApiException.Invalid("logit_bias", $"logit_bias: {id} is no token; the model has {_bundle.Model.Config.Vocabulary}.");
            }
            steps.Add(new SequenceBias([.. request.Bias.Select(b => (new[] { b.Key }, b.Value))]));
        }
        steps.AddRange(request.Sampling.Steps(stopTokens));
        return steps;
    }

    private Func<TokenConstraint>? Constraint(InferenceRequest request, GenerationRequest generation, PromptFormat format, bool reasons)
    {
        if (request.MaxTokens == 0 || GrammarOf(request, format) is not { } grammar)
            return null;
        // Text beside calls may be cut off; a structure, or what must be a call, is completed within the budget, in which the token that ends the text has its place.
        bool whole = request.Tools is null or { Required: true } || request.Structure is not null;
        int budget = !whole ? int.MaxValue : generation.StopTokens.Count > 0 ? Math.Max(1, generation.MaxNewTokens - 1) : generation.MaxNewTokens;
        TokenConstraint Matcher(int left) => new GrammarMatcher(grammar, format.Tokens, generation.StopTokens, left);
        if (!reasons)
            return () => Matcher(budget);
        int reserved = whole ? grammar.FewestTokens(format.Tokens) : 0;
        return () => new ReasoningConstraint(format.ReasoningEnd, generation.StopTokens, reserved, budget, Matcher);
    }

    private Grammar? GrammarOf(InferenceRequest request, PromptFormat format)
    {
        if (request.Tools is not { } tools)
            return request.Structure is { } structure ? Compile(structure.Source, structure.Compile, structure.Parameter) : null;
        ToolCallOptions options = new(!tools.Required, tools.Parallel);
        if (request.Structure is { } answer && !tools.Required)
            options = options with { Answer = answer.Schema ?? throw ApiException.Invalid(answer.Parameter, $"{answer.Parameter}: beside tools that may be called only a JSON Schema can be asked for.") };
        string source = $"calls {format.Calls.Name} {tools.Required} {tools.Parallel} {options.Answer?.GetRawText()}\n{string.Join('\n', tools.Tools.Select(t => $"{t.Name} {t.Strict} {t.Parameters?.GetRawText()}"))}";
        return Compile(source, () => ToolCallGrammar.Make(format.Calls, tools.Tools, options), "tools");
    }

    private Grammar Compile(string source, Func<Grammar> compile, string parameter)
    {
        try
        {
            return _grammars.Get(source, compile);
        }
        catch (Exception e) when (e is StructureException or ArgumentException)
        {
            throw ApiException.Invalid(parameter, $"{parameter}: {e.Message}", "invalid_json_schema");
        }
    }

    private GenerationStream[] Submit(InferenceRequest request, GenerationRequest generation, ulong? seed, CancellationToken cancellation)
    {
        GenerationStream[] streams = new GenerationStream[request.Count];
        int begun = 0;
        try
        {
            for (; begun < streams.Length; begun++)
                streams[begun] = _engine.Submit(generation with { Seed = seed is { } first ? unchecked(first + (ulong)begun) : null }, request.Class, cancellation);
            return streams;
        }
        catch (Exception e) when (e is StructureException or ArgumentException)
        {
            foreach (GenerationStream stream in streams.Take(begun))
                stream.Cancel();
            throw e is StructureException && generation.MaxNewTokens == request.MaxTokens
                ? ApiException.Invalid(request.MaxTokensParameter, $"{request.MaxTokensParameter}: {e.Message}")
                : ApiException.Invalid(PromptParameter(request), e.Message);
        }
    }

    private static async IAsyncEnumerable<InferencePiece> Pieces(
        InferenceRequest request, GenerationRequest read, GenerationStream[] streams, PromptFormat format, bool? reasoning, [EnumeratorCancellation] CancellationToken cancellation)
    {
        Channel<InferencePiece> output = Channel.CreateUnbounded<InferencePiece>(new UnboundedChannelOptions { SingleReader = true });
        Task work = Task.WhenAll(streams.Select((stream, i) => new EngineAnswer(i, request, stream, format, new AnswerText(
            i,
            format.Text(read, request.Stops),
            reasoning is { } open ? new ReasoningSplitter(open) : null,
            request.Tools is null ? null : new ToolCallParser(format.Calls))).Write(output.Writer, cancellation)));
        _ = work.ContinueWith(t => output.Writer.TryComplete(t.Exception?.InnerException ?? (t.IsCanceled ? new OperationCanceledException(cancellation) : null)), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        try
        {
            await foreach (InferencePiece piece in output.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
                yield return piece;
        }
        finally
        {
            foreach (GenerationStream stream in streams)
                stream.Cancel();
        }
    }
}
