using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Threading.Channels;
using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Server.Http;
using Gradus.Text.Chat;

namespace Gradus.Server.Inference;

/// <summary>A model of ours behind a <see cref="GenerationEngine"/>: requests become token ids, the tokens that come become text and calls.</summary>
public sealed class EngineModel : IInferenceModel
{
    private readonly ModelBundle _bundle;
    private readonly GenerationEngine _engine;
    private readonly GrammarCache _grammars = new();
    private readonly Lazy<TokenVocabulary> _vocabulary;
    private readonly Lazy<ToolCallFormat> _calls;
    private readonly bool _reasons;

    /// <summary>Starts an engine.</summary>
    /// <param name="bundle">The model; it must outlive this.</param>
    /// <param name="options">How the machine is shared; the defaults where null.</param>
    /// <param name="adapters">The names of the adapters that are on the model for single sequences.</param>
    /// <exception cref="InvalidDataException">The model does not write text, or its chat template cannot be parsed.</exception>
    public EngineModel(ModelBundle bundle, EngineOptions? options = null, IReadOnlyList<string>? adapters = null)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        _bundle = bundle;
        Adapters = adapters ?? [];
        _calls = new(() => (bundle.Template is { } template ? ToolCallFormat.OfTemplate(template.Source) : null) ?? ToolCallFormat.Hermes);
        _vocabulary = new(() => new TokenVocabulary(bundle.Tokenizer, bundle.Model.Config.Vocabulary, _calls.Value));
        _reasons = bundle.Template?.Source.Contains(AnswerText.ReasoningClose, StringComparison.Ordinal) ?? false;
        _engine = new GenerationEngine(bundle.Generative, options);
    }

    /// <inheritdoc/>
    public int ContextLength => Math.Min(_bundle.ContextLength, _engine.LongestSequence);

    /// <inheritdoc/>
    public IReadOnlyList<string> Adapters { get; }

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

    /// <inheritdoc/>
    public int[] Tokenize(InferencePrompt prompt)
    {
        GenerationRequest read = Read(prompt);
        return read.Source ?? read.Prompt;
    }

    /// <inheritdoc/>
    public InferenceRun Start(InferenceRequest request, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(request);
        GenerationRequest read = Read(request.Prompt);
        string parameter = request.Prompt is ConversationPrompt ? "messages" : "prompt";
        int context = ContextLength;
        // A source is read by an encoder, beside the answer; a prompt shares its context with the answer, which needs room for a token.
        if (read.TokensRead > context - (read.Source is null && request.MaxTokens != 0 ? 1 : 0))
            throw ApiException.TooLong(read.TokensRead, context, parameter);
        if (read.Source is not null && (request.Echo || request.PromptLogProbabilities))
            throw ApiException.Invalid("echo", "The model reads its prompt with an encoder, so an answer cannot begin with it; leave echo out.");
        int room = context - read.Prompt.Length, most = Math.Min(room, request.MaxTokens ?? room);
        ulong? seed = request.Greedy ? null : request.Seed ?? (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);
        bool? reasoning = !_reasons ? null : request.Prompt is ConversationPrompt && EndsInReasoning(read.Prompt);
        GenerationRequest generation = read with
        {
            StopTokens = request.IgnoreEnd ? [] : [.. read.StopTokens, .. request.StopTokens],
            MaxNewTokens = most,
            LogProbabilities = request.LogProbabilities,
            Alternatives = request.Alternatives,
            PromptLogProbabilitiesFrom = request.PromptLogProbabilities && read.Prompt.Length > 0 ? 1 : null,
            Adapter = request.Adapter,
        };
        generation = generation with { Steps = Steps(request, generation.StopTokens), Constraint = Constraint(request, generation, reasoning == true) };
        GenerationStream[] streams = Submit(request, generation, seed, cancellation);
        return new InferenceRun(read.Source ?? read.Prompt, seed, Pieces(request, read, streams, reasoning, cancellation));
    }

    /// <inheritdoc/>
    public void Dispose() => _engine.Dispose();

    private GenerationRequest Read(InferencePrompt prompt)
    {
        try
        {
            switch (prompt)
            {
                case ConversationPrompt conversation:
                    GenerationRequest answer = _bundle.Answer(new ChatConversation(conversation.Messages, conversation.Tools), conversation.Variables);
                    return conversation.Prefill is { Length: > 0 } prefill && !_bundle.ReadsSource
                        ? answer with { Prompt = [.. answer.Prompt, .. _bundle.Tokenizer.Encode(prefill, addSpecialTokens: false)] }
                        : answer;
                case TextPrompt text:
                    return _bundle.Continue(text.Text, text.AddSpecialTokens);
                case TokenPrompt tokens:
                    return GenerationRequest.For(_bundle.Generative, tokens.Ids) with { StopTokens = _bundle.EndIds };
                default:
                    throw new ArgumentException($"A {prompt.GetType().Name} is no prompt that an engine reads.", nameof(prompt));
            }
        }
        catch (Exception e) when (e is ChatTemplateException or InvalidDataException or ArgumentException)
        {
            throw ApiException.Invalid(prompt is ConversationPrompt ? "messages" : "prompt", e.Message);
        }
    }

    private bool EndsInReasoning(int[] prompt) =>
        _bundle.Tokenizer.Decode(prompt.AsSpan(Math.Max(0, prompt.Length - 8)), skipSpecialTokens: false).TrimEnd().EndsWith(AnswerText.ReasoningOpen, StringComparison.Ordinal);

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

    private Func<TokenConstraint>? Constraint(InferenceRequest request, GenerationRequest generation, bool reasons)
    {
        if (request.MaxTokens == 0)
            return null;
        // The token that ends the text is one of the budget, but need not come.
        int budget = generation.MaxNewTokens;
        if (request.Structure is { } structure)
        {
            Grammar grammar = Compile(structure.Source, structure.Compile, structure.Parameter);
            TokenBytes written = _vocabulary.Value.Written;
            return reasons
                ? () => new ReasonedConstraint(left => new GrammarMatcher(grammar, written, generation.StopTokens, left), written, generation.StopTokens, budget)
                : () => new GrammarMatcher(grammar, written, generation.StopTokens, budget);
        }
        if (request.Tools is { } tools)
        {
            ToolCallOptions options = new(!tools.Required, tools.Parallel, reasons ? AnswerText.ReasoningClose : null);
            string source = $"{options}\n{string.Join('\n', tools.Tools.Select(t => $"{t.Name} {t.Strict} {t.Parameters?.GetRawText()}"))}";
            Grammar grammar = Compile(source, () => ToolCallGrammar.Make(_calls.Value, tools.Tools, options), "tools");
            TokenBytes written = _vocabulary.Value.Written;
            // Text may be cut off; what must be a call is completed within the budget.
            return () => new GrammarMatcher(grammar, written, generation.StopTokens, tools.Required && !reasons ? budget : int.MaxValue);
        }
        return null;
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
                : ApiException.Invalid(request.Prompt is ConversationPrompt ? "messages" : "prompt", e.Message);
        }
    }

    private async IAsyncEnumerable<InferencePiece> Pieces(
        InferenceRequest request, GenerationRequest read, GenerationStream[] streams, bool? reasoning, [EnumeratorCancellation] CancellationToken cancellation)
    {
        Channel<InferencePiece> output = Channel.CreateUnbounded<InferencePiece>(new UnboundedChannelOptions { SingleReader = true });
        ToolCallFormat? calls = request.Tools is null ? null : _calls.Value;
        Task work = Task.WhenAll(streams.Select((stream, i) => new EngineAnswer(i, request, stream, _bundle, _vocabulary.Value,
            new AnswerText(i, new StreamedText(_bundle.Tokenizer, read.TextBefore, request.Stops), _vocabulary.Value, calls, reasoning)).Write(output.Writer, cancellation)));
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
