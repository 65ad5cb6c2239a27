using System.Text;
using Gradus.Bundle;
using Gradus.Clients;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Generation.Structure.ToolCalls;
using Gradus.Server.Http;
using Gradus.Text.Chat;

namespace Gradus.Server.Inference;

/// <summary>
/// How a model, or an adapter on it, reads prompts and writes answers: its tokenizer and chat template, the marks of calls and reasoning, which may be
/// special tokens, and the bytes of every token. Safe for use by many threads.
/// </summary>
internal sealed class PromptFormat : IDisposable
{
    private const int TailTokens = 12;
    private readonly ModelBundle _bundle;
    private readonly bool _hasTools;
    private readonly Lazy<byte[][]> _texts;
    private readonly Lazy<TokenBytes> _tokens;

    /// <summary>Takes the format of a bundle, which is disposed with this.</summary>
    /// <exception cref="InvalidDataException">The chat template cannot be parsed.</exception>
    public PromptFormat(ModelBundle bundle)
    {
        _bundle = bundle;
        ChatTemplate? template = bundle.ReadsSource ? null : bundle.Template;
        ToolCallFormat? own = template is null ? null : ToolCallFormat.OfTemplate(template.Source);
        Calls = own ?? ToolCallFormat.Hermes;
        _hasTools = ToolPrompt.IsNative(template, own);
        Reasons = template?.Source.Contains(ReasoningSplitter.End, StringComparison.Ordinal) ?? false;
        Marks = new HashSet<int>(Calls.MarkerTokens().Concat([ReasoningSplitter.Begin, ReasoningSplitter.End]).Select(bundle.Tokenizer.TokenToId).OfType<int>().Where(bundle.Tokenizer.IsSpecial));
        _texts = new(() => bundle.Tokenizer.TokenTexts(Marks));
        _tokens = new(() =>
        {
            // A model's table may be padded beyond the tokenizer's.
            int size = bundle.Model.Config.Vocabulary;
            return new TokenBytes([.. _texts.Value.Take(size), .. Enumerable.Repeat<byte[]>([], Math.Max(0, size - _texts.Value.Length))]);
        });
    }

    /// <summary>How calls of tools are written.</summary>
    public ToolCallFormat Calls { get; }

    /// <summary>Whether the model may reason before it answers.</summary>
    public bool Reasons { get; }

    /// <summary>Special tokens that mark calls or reasoning.</summary>
    public IReadOnlySet<int> Marks { get; }

    /// <summary>What a grammar sees of the vocabulary.</summary>
    public TokenBytes Tokens => _tokens.Value;

    /// <summary>The tokens of the end of the reasoning.</summary>
    public int[] ReasoningEnd => _bundle.Tokenizer.Encode(ReasoningSplitter.End, addSpecialTokens: false);

    /// <summary>What the model reads of a prompt, and the tokens that end its answer.</summary>
    /// <exception cref="ApiException">The prompt is not well formed, or the chat template refuses it.</exception>
    public GenerationRequest Read(InferencePrompt prompt)
    {
        try
        {
            return prompt switch
            {
                ConversationPrompt conversation => Answer(conversation),
                TextPrompt text => _bundle.Continue(text.Text, text.AddSpecialTokens),
                TokenPrompt tokens => GenerationRequest.For(_bundle.Generative, tokens.Ids) with { StopTokens = _bundle.EndIds, Adapter = _bundle.AdapterName },
                _ => throw new ArgumentException($"A {prompt.GetType().Name} is no prompt that an engine reads.", nameof(prompt)),
            };
        }
        catch (Exception e) when (e is ChatTemplateException or InvalidDataException or ArgumentException)
        {
            throw ApiException.Invalid(prompt is ConversationPrompt ? "messages" : "prompt", e.Message);
        }
    }

    /// <summary>Whether a model that may reason has begun to within its prompt.</summary>
    public bool IsReasoning(GenerationRequest read) => Reasons
        && _bundle.Tokenizer.Decode(read.TextBefore[Math.Max(0, read.TextBefore.Length - TailTokens)..], skipSpecialTokens: false).TrimEnd().EndsWith(ReasoningSplitter.Begin, StringComparison.Ordinal);

    /// <summary>The text of an answer while it is written.</summary>
    public StreamedText Text(GenerationRequest read, IReadOnlyList<string> stops) => new(_bundle.Tokenizer, read.TextBefore, stops, Marks);

    /// <summary>The text of tokens.</summary>
    public string Decode(int[] ids) => _bundle.Tokenizer.Decode(ids);

    /// <summary>The bytes that a token adds to a text, marks among them.</summary>
    public int Length(int id) => (uint)id < (uint)_texts.Value.Length ? _texts.Value[id].Length : 0;

    /// <summary>A token with its log-probability.</summary>
    /// <param name="id">The token.</param>
    /// <param name="logProbability">log p, or null.</param>
    /// <param name="alternatives">The most probable tokens in its place.</param>
    public ScoredToken Score(int id, float? logProbability, IReadOnlyList<TokenScore> alternatives) =>
        new(id, Bytes(id), Name(id), logProbability, [.. alternatives.Select(a => new ScoredToken(a.Id, Bytes(a.Id), Name(a.Id), a.LogProbability, []))]);

    /// <inheritdoc/>
    public void Dispose() => _bundle.Dispose();

    private GenerationRequest Answer(ConversationPrompt conversation)
    {
        IReadOnlyList<ChatMessage> messages = conversation.Messages;
        System.Text.Json.Nodes.JsonArray? tools = conversation.Tools;
        if (!_hasTools)
            (messages, tools) = (ToolPrompt.Plain(messages, tools), null);
        GenerationRequest answer;
        try
        {
            answer = _bundle.Answer(new ChatConversation(messages, tools), conversation.Variables);
        }
        catch (ChatTemplateRaisedException) when (messages is [{ Role: "system" }, ..])
        {
            // Templates such as Gemma's refuse a system message; what it says can be said by the user.
            answer = _bundle.Answer(new ChatConversation(ToolPrompt.WithoutSystem(messages), tools), conversation.Variables);
        }
        // What closes a call may end the text too; here it is read.
        answer = answer with { StopTokens = [.. answer.StopTokens.Where(t => !Marks.Contains(t))] };
        return conversation.Prefill is { Length: > 0 } prefill && !_bundle.ReadsSource
            ? answer with { Prompt = [.. answer.Prompt, .. _bundle.Tokenizer.Encode(prefill, addSpecialTokens: false)] }
            : answer;
    }

    private byte[]? Bytes(int id) => (uint)id < (uint)_texts.Value.Length && !_bundle.Tokenizer.IsSpecial(id) ? _texts.Value[id] : null;

    // Bytes that are no text by themselves are written out, so that two tokens never read the same.
    private string Name(int id)
    {
        if (Bytes(id) is not { } bytes)
            return _bundle.Tokenizer.IdToToken(id) ?? $"<id {id}>";
        return System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : $"bytes:{string.Concat(bytes.Select(b => $"\\x{b:x2}"))}";
    }
}
