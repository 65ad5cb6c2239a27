using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Text.Chat;
using Microsoft.Extensions.AI;
using ModelMessage = Gradus.Text.Chat.ChatMessage;

namespace Gradus.Clients;

/// <summary>Turns a request of Microsoft.Extensions.AI into one of the engine.</summary>
/// <param name="model">The model.</param>
internal sealed class ChatRequests(ChatModel model)
{
    private const int MostAlternatives = 20;
    private static readonly JsonElement AnyObject = JsonElement.Parse("{\"type\":\"object\"}");

    private ModelBundle Bundle => model.Bundle;

    /// <summary>Makes a request ready to run.</summary>
    /// <exception cref="ArgumentException">Something in it is wrong, or is not done by a local model.</exception>
    /// <exception cref="StructureException">The structure cannot be enforced.</exception>
    public PreparedChat Prepare(IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions options)
    {
        RefuseState(options);
        PropertyReader properties = new(options.AdditionalProperties, ChatProperties.Known);
        AIFunctionDeclaration[] tools = options.ToolMode is NoneChatToolMode ? [] : Conversations.Functions(options.Tools);
        ToolCallFormat format = FindFormat(properties, out bool native);
        GenerationRequest request = Render(messages, options, tools, native, properties, out int forgotten);
        HashSet<int> written = [];
        if (tools.Length > 0)
            written.UnionWith(format.MarkerTokens().Select(t => Bundle.Tokenizer.TokenToId(t)).OfType<int>().Where(Bundle.Tokenizer.IsSpecial));
        bool isReasoning = ReasoningIsOpen(request);
        if (model.Reasons)
            written.UnionWith(new[] { ReasoningSplitter.Begin, ReasoningSplitter.End }.Select(t => Bundle.Tokenizer.TokenToId(t)).OfType<int>().Where(Bundle.Tokenizer.IsSpecial));
        // What closes a call may end the text too; here it is read.
        request = request with { StopTokens = [.. request.StopTokens.Where(t => !written.Contains(t))] };
        request = Sample(request, options, properties);
        request = request with { MaxNewTokens = Math.Min(request.MaxNewTokens, model.Engine.LongestAnswer(request)) };
        request = Constrain(request, options, properties, tools, format, written, isReasoning);
        bool scored = properties.Flag(ChatProperties.LogProbabilities);
        int alternatives = properties.Integer(ChatProperties.Alternatives) ?? 0;
        if (alternatives < 0 || alternatives > MostAlternatives)
            throw new ArgumentException($"AdditionalProperties: {ChatProperties.Alternatives} is {alternatives}; give 0 to {MostAlternatives}.");
        if (alternatives > 0 && !scored)
            throw new ArgumentException($"AdditionalProperties: {ChatProperties.Alternatives} needs {ChatProperties.LogProbabilities}.");
        request = request with { LogProbabilities = scored, Alternatives = Math.Min(alternatives, Bundle.Model.Config.Vocabulary), Adapter = properties.Text(ChatProperties.Adapter) };
        AnswerReader reader = new(
            new StreamedText(Bundle.Tokenizer, request.TextBefore, StopTexts(options), written),
            model.Reasons ? new ReasoningSplitter(isReasoning) : null,
            tools.Length > 0 ? new ToolCallParser(format) : null,
            dropsFirstSpace: request.Constraint is null && EndsWithinLine(request));
        RequestClass asks = new(properties.Integer(ChatProperties.Priority) ?? 0, properties.Text(ChatProperties.Client) ?? "");
        return new PreparedChat(request, asks, reader, scored ? alternatives : null, options.Reasoning?.Output == ReasoningOutput.None, forgotten);
    }

    private static void RefuseState(ChatOptions options)
    {
        if (options.ConversationId is not null)
            throw new ArgumentException("ConversationId is given, but a local model keeps no conversations; send all messages.");
        if (options.ContinuationToken is not null)
            throw new ArgumentException("ContinuationToken is given, but a local model has no answers in the background.");
    }

    private static List<string> StopTexts(ChatOptions options)
    {
        List<string> stops = [.. options.StopSequences ?? []];
        return stops.TrueForAll(s => !string.IsNullOrEmpty(s)) ? stops : throw new ArgumentException("StopSequences holds an empty text; leave it out.");
    }

    private ToolCallFormat FindFormat(PropertyReader properties, out bool native)
    {
        ToolCallFormat? own = Bundle.ReadsSource || Bundle.Template is null ? null : ToolCallFormat.OfTemplate(Bundle.Template.Source);
        string? named = properties.Text(ChatProperties.ToolFormat) ?? model.Options.ToolFormat;
        native = ToolPrompt.IsNative(Bundle.ReadsSource ? null : Bundle.Template, own) || (named is not null && Bundle.Template?.Source.Contains("tools", StringComparison.Ordinal) == true);
        return named is not null ? ToolCallFormat.Find(named) : own ?? ToolCallFormat.Hermes;
    }

    private GenerationRequest Render(
        IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions options, AIFunctionDeclaration[] tools, bool native, PropertyReader properties, out int forgotten)
    {
        List<ModelMessage> conversation = Conversations.Read(messages, options.Instructions);
        JsonArray? described = Conversations.Tools(tools);
        List<ModelMessage> read = [.. native ? conversation : ToolPrompt.Plain(conversation, described)];
        if (!native)
            described = null;
        Dictionary<string, JsonNode?> variables = new(StringComparer.Ordinal);
        if (options.Reasoning?.Effort is { } effort)
        {
            variables["enable_thinking"] = effort != ReasoningEffort.None;
            if (effort != ReasoningEffort.None)
                variables["reasoning_effort"] = effort == ReasoningEffort.Low ? "low" : effort == ReasoningEffort.Medium ? "medium" : "high";
        }
        foreach ((string name, JsonNode? value) in properties.Object(ChatProperties.TemplateVariables) ?? [])
            variables[name] = value?.DeepClone();
        int all = read.Count;
        GenerationRequest request = model.Options.Overflow == OverflowPolicy.Error
            ? Render(read, described, variables)
            : ConversationWindow.Fit(read, () => Render(read, described, variables), r => HasRoom(r, options));
        forgotten = all - read.Count;
        return request;
    }

    // For a fair answer: as long as was asked for, but no more than a quarter of the context is kept free for it.
    private bool HasRoom(GenerationRequest request, ChatOptions options)
    {
        int longest = model.Engine.LongestSequence;
        int room = Math.Min(options.MaxOutputTokens ?? model.Options.MaxOutputTokens ?? int.MaxValue, longest / 4);
        return request.Prompt.Length + (long)room <= longest && (request.Source?.Length ?? 0) <= Bundle.Model.Config.ContextLength;
    }

    private GenerationRequest Render(List<ModelMessage> read, JsonArray? described, Dictionary<string, JsonNode?> variables)
    {
        try
        {
            return Bundle.Answer(new ChatConversation(read, described), variables);
        }
        catch (ChatTemplateRaisedException) when (read[0].Role == "system")
        {
            // Templates such as Gemma's refuse a system message; what it says can be said by the user.
            return Bundle.Answer(new ChatConversation(ToolPrompt.WithoutSystem(read), described), variables);
        }
    }

    private bool ReasoningIsOpen(GenerationRequest request) => model.Reasons
        && End(request).TrimEnd().EndsWith(ReasoningSplitter.Begin, StringComparison.Ordinal);

    private bool EndsWithinLine(GenerationRequest request) => End(request) is [.., var last] && !char.IsWhiteSpace(last);

    private string End(GenerationRequest request)
    {
        ReadOnlySpan<int> before = request.TextBefore;
        return Bundle.Tokenizer.Decode(before[Math.Max(0, before.Length - 12)..], skipSpecialTokens: false);
    }

    private GenerationRequest Sample(GenerationRequest request, ChatOptions options, PropertyReader properties)
    {
        SamplingOptions defaults = model.Options.Sampling ?? new SamplingOptions();
        float temperature = options.Temperature ?? defaults.Temperature;
        SamplingOptions sampling = defaults with
        {
            Temperature = temperature == 0 ? 1 : temperature,
            TopK = options.TopK ?? defaults.TopK,
            TopP = options.TopP ?? defaults.TopP,
            FrequencyPenalty = options.FrequencyPenalty ?? defaults.FrequencyPenalty,
            PresencePenalty = options.PresencePenalty ?? defaults.PresencePenalty,
            MinP = properties.Number(ChatProperties.MinP) ?? defaults.MinP,
            TypicalP = properties.Number(ChatProperties.TypicalP) ?? defaults.TypicalP,
            RepetitionPenalty = properties.Number(ChatProperties.RepetitionPenalty) ?? defaults.RepetitionPenalty,
            NoRepeatNgram = properties.Integer(ChatProperties.NoRepeatNgram) ?? defaults.NoRepeatNgram,
            MinNewTokens = properties.Integer(ChatProperties.MinTokens) ?? defaults.MinNewTokens,
        };
        ulong? seed = temperature == 0 ? null : options.Seed is { } given ? unchecked((ulong)given) : (ulong)RandomNumberGenerator.GetInt32(int.MaxValue);
        List<LogitsStep> steps = [.. sampling.Steps(request.StopTokens, seed ?? 0)];
        if (properties.Biases(ChatProperties.LogitBias) is { Count: > 0 } biases)
            steps.Insert(0, new SequenceBias([.. biases.Select(b => (new[] { b.Key }, b.Value))]));
        int most = options.MaxOutputTokens ?? model.Options.MaxOutputTokens ?? int.MaxValue;
        if (most < 0)
            throw new ArgumentException($"MaxOutputTokens is {most}; give 0 or more.");
        return request with { Steps = steps, Seed = seed, MaxNewTokens = most };
    }

    private GenerationRequest Constrain(
        GenerationRequest request, ChatOptions options, PropertyReader properties, AIFunctionDeclaration[] tools, ToolCallFormat format, HashSet<int> written, bool isReasoning)
    {
        Grammar? grammar = tools.Length > 0 ? CallGrammar(options, tools, format) : AnswerGrammar(options, properties);
        if (grammar is null || request.MaxNewTokens == 0)
            return request;
        bool calls = tools.Length > 0;
        TokenBytes tokens = calls && written.Count > 0 ? model.Grammars.Vocabulary(Bundle.Tokenizer, written) : model.Tokens;
        int[] ends = [.. request.StopTokens];
        // The token that ends the text has its place too.
        int most = ends.Length > 0 ? Math.Max(1, request.MaxNewTokens - 1) : request.MaxNewTokens;
        if (!isReasoning)
        {
            GrammarMatcher first = new(grammar, tokens, ends, most);
            return request with { Constraint = () => Interlocked.Exchange(ref first!, null) ?? new GrammarMatcher(grammar, tokens, ends, most) };
        }
        int[] close = Bundle.Tokenizer.Encode(ReasoningSplitter.End, addSpecialTokens: false);
        return request with
        {
            Constraint = Reasoned,
        };

        TokenConstraint Reasoned() => new ReasoningConstraint(close, ends, grammar.FewestTokens(tokens), most, left => new GrammarMatcher(grammar, tokens, ends, left));
    }

    private Grammar? AnswerGrammar(ChatOptions options, PropertyReader properties)
    {
        List<Grammar> given = [];
        if (options.ResponseFormat is ChatResponseFormatJson json)
            given.Add(json.Schema is { } schema ? Schema(schema) : model.Grammars.Get("object", Grammar.JsonObject));
        if (properties.Text(ChatProperties.Regex) is { } regex)
            given.Add(model.Grammars.Get($"regex {regex}", () => Grammar.FromRegex(regex)));
        if (properties.Text(ChatProperties.Grammar) is { } gbnf)
            given.Add(model.Grammars.Get($"gbnf {gbnf}", () => Grammar.FromGbnf(gbnf)));
        if (properties.Texts(ChatProperties.Choices) is { } choices)
            given.Add(model.Grammars.Get($"choices {string.Join('\0', choices)}", () => Grammar.FromChoices(choices)));
        return given.Count <= 1 ? given.FirstOrDefault() : throw new ArgumentException("The answer can have one structure only: ResponseFormat, regex, grammar or choices.");
    }

    private Grammar Schema(JsonElement schema)
    {
        string source = schema.GetRawText();
        return model.Grammars.Get($"schema {source}", () => Grammar.FromJsonSchema(schema));
    }

    private Grammar CallGrammar(ChatOptions options, AIFunctionDeclaration[] tools, ToolCallFormat format)
    {
        if (((string[])[ChatProperties.Regex, ChatProperties.Grammar, ChatProperties.Choices]).FirstOrDefault(n => options.AdditionalProperties?.GetValueOrDefault(n) is not null) is { } other)
            throw new ArgumentException($"AdditionalProperties: {other} does not go together with Tools; leave one of them out, or set ToolMode to None.");
        bool must = options.ToolMode is RequiredChatToolMode;
        JsonElement? answer = options.ResponseFormat is not ChatResponseFormatJson json ? null : json.Schema ?? AnyObject;
        if (options.ToolMode is RequiredChatToolMode { RequiredFunctionName: { } name })
        {
            tools = [.. tools.Where(t => t.Name == name)];
            if (tools.Length == 0)
                throw new ArgumentException($"ToolMode requires a call of {name}, which is not among Tools.");
        }
        CallableTool[] callable = [.. tools.Select(Conversations.Callable)];
        bool parallel = options.AllowMultipleToolCalls ?? true;
        string key = $"calls {format.Name} {must} {parallel} {answer?.GetRawText()} {string.Join('\0', callable.Select(t => $"{t.Name}\0{t.Strict}\0{t.Parameters?.GetRawText()}"))}";
        return model.Grammars.Get(key, () => ToolCallGrammar.Make(format, callable, new ToolCallOptions(AllowText: !must, AllowParallel: parallel) { Answer = answer }));
    }
}
