using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Text.Chat;

namespace Gradus.Cli.Verbs;

/// <summary>An answer of the model.</summary>
/// <param name="Text">What it said.</param>
/// <param name="Written">Its tokens, and when they came.</param>
/// <param name="Forgotten">Messages that the context had no room for any more.</param>
internal sealed record ChatAnswer(string Text, GeneratedText Written, int Forgotten)
{
    /// <summary>Why it ended (<see cref="EndReasons"/>).</summary>
    public string Reason => EndReasons.Name(Written);
}

/// <summary>
/// A conversation with a model. The oldest exchanges are forgotten where the model's context has no room for them, unless that is to be an error; the
/// system message stays. What was said before is read once: the engine keeps it.
/// </summary>
internal sealed class ChatSession : IDisposable
{
    private readonly ModelBundle _bundle;
    private readonly OverflowPolicy _overflow;
    private readonly GenerationEngine _engine;
    private readonly TextGenerator _writer;
    private readonly List<ChatMessage> _messages = [];
    private int _answers;

    /// <summary>Begins a conversation.</summary>
    /// <param name="bundle">The model.</param>
    /// <param name="sampling">How answers are drawn.</param>
    /// <param name="system">The system message, or null.</param>
    /// <param name="overflow">What becomes of a conversation that is too long.</param>
    /// <exception cref="InvalidDataException">The model does not write text, or has no chat template.</exception>
    public ChatSession(ModelBundle bundle, TextSampling sampling, string? system, OverflowPolicy overflow)
    {
        _bundle = bundle;
        _overflow = overflow;
        // A model that cannot chat is refused before the first question.
        if (!bundle.ReadsSource)
            _ = bundle.Chat;
        Sampling = sampling;
        SystemMessage = system;
        _engine = new GenerationEngine(bundle.Generative);
        _writer = new TextGenerator(bundle, _engine);
    }

    /// <summary>How answers are drawn.</summary>
    public TextSampling Sampling { get; set; }

    /// <summary>The system message, or null.</summary>
    public string? SystemMessage { get; set; }

    /// <summary>What runs the model.</summary>
    public GenerationEngine Engine => _engine;

    /// <summary>Forgets what was said; the system message stays.</summary>
    public void Reset() => _messages.Clear();

    /// <summary>Forgets the last message of the user and what came after it; false where there is none.</summary>
    public bool Undo()
    {
        int last = _messages.FindLastIndex(m => m.Role == "user");
        if (last < 0)
            return false;
        _messages.RemoveRange(last, _messages.Count - last);
        return true;
    }

    /// <summary>Asks the last message again, with other draws; null where there is none.</summary>
    /// <param name="show">Given the answer as it comes.</param>
    /// <param name="cancellation">Ends the answer early.</param>
    public ChatAnswer? AskAgain(Action<string> show, CancellationToken cancellation) =>
        _messages.FindLast(m => m.Role == "user")?.Text is { } text && Undo() ? Ask(text, show, cancellation) : null;

    /// <summary>Writes the conversation, as <see cref="Load"/> and <c>gradus generate --input</c> read it.</summary>
    /// <param name="path">The file.</param>
    public void Save(string path)
    {
        JsonObject conversation = new() { ["messages"] = new JsonArray([.. All().Select(m => (JsonNode)m.ToJson())]) };
        AtomicFile.WriteAllText(path, conversation.ToJsonString() + "\n");
    }

    /// <summary>Goes on with a conversation that was written; the one so far is forgotten.</summary>
    /// <param name="path">The file.</param>
    /// <returns>How many messages it has.</returns>
    /// <exception cref="InvalidDataException">It holds no conversation.</exception>
    public int Load(string path)
    {
        ChatConversation conversation;
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
            conversation = ChatConversation.FromJson(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new InvalidDataException($"{path}: holds no conversation: {e.Message.ReplaceLineEndings(" ")}");
        }
        int first = conversation.Messages is [{ Role: "system" }, ..] ? 1 : 0;
        SystemMessage = first == 1 ? conversation.Messages[0].Text : null;
        _messages.Clear();
        _messages.AddRange(conversation.Messages.Skip(first));
        return conversation.Messages.Count;
    }

    /// <summary>Asks the model; both what is said and the answer, even a cancelled one, become part of the conversation.</summary>
    /// <param name="text">What the user says.</param>
    /// <param name="show">Given the answer as it comes.</param>
    /// <param name="cancellation">Ends the answer early.</param>
    /// <exception cref="UsageException">The message alone, or a conversation of which nothing may be forgotten, is longer than the context.</exception>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public ChatAnswer Ask(string text, Action<string> show, CancellationToken cancellation)
    {
        _messages.Add(new ChatMessage("user", text));
        GenerationRequest request;
        int before = _messages.Count;
        try
        {
            request = Sampling.WithState(Sampling.Apply(FitPrompt(), _answers++));
        }
        catch
        {
            _messages.RemoveAt(_messages.Count - 1);
            throw;
        }
        bool begun = false;
        GeneratedText written = _writer.Write(request, Sampling.StopTexts, show: Show, cancellation: cancellation).GetAwaiter().GetResult();
        string answer = written.Text.Trim();
        _messages.Add(new ChatMessage("assistant", answer));
        return new ChatAnswer(answer, written, before - (_messages.Count - 1));

        void Show(string part)
        {
            // The template's prompt may end where the first word still brings its space.
            if (!begun)
                part = part.TrimStart();
            begun |= part.Length > 0;
            if (part.Length > 0)
                show(part);
        }
    }

    /// <summary>Ends the engine.</summary>
    public void Dispose() => _engine.Dispose();

    /// <summary>The prompt of the conversation, where it may be less the oldest exchanges for which a fair answer leaves no room.</summary>
    private GenerationRequest FitPrompt()
    {
        int context = _bundle.ContextLength;
        int room = Math.Min(Sampling.MaxTokens, context / 4);
        GenerationRequest request = _overflow == OverflowPolicy.Error ? Request() : ConversationWindow.Fit(_messages, Request, r => _bundle.Fits(r, room));
        if (_bundle.Fits(request, 1))
            return request;
        throw new UsageException(_messages.Count == 1
            ? $"the message takes {request.TokensRead} tokens, but the model's context is {context}; say it in fewer words."
            : $"the conversation takes {request.TokensRead} tokens, but the model's context is {context}; /reset it, or let the oldest messages go: --overflow truncate-left");
    }

    private GenerationRequest Request() => _bundle.Answer(new ChatConversation(All()));

    private IEnumerable<ChatMessage> All() => SystemMessage is null ? _messages : _messages.Prepend(new ChatMessage("system", SystemMessage));
}
