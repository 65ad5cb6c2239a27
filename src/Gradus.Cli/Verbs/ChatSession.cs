using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Generation;
using Gradus.Text.Chat;

namespace Gradus.Cli.Verbs;

/// <summary>An answer of the model.</summary>
/// <param name="Text">What it said.</param>
/// <param name="Tokens">Tokens it took.</param>
/// <param name="Reason">Why it ended (<see cref="EndReasons"/>).</param>
/// <param name="Forgotten">Messages that the context had no room for any more.</param>
internal sealed record ChatAnswer(string Text, int Tokens, string Reason, int Forgotten);

/// <summary>
/// A conversation with a model. The oldest exchanges are forgotten where the model's context has no room for them; the system
/// message stays.
/// </summary>
internal sealed class ChatSession : IDisposable
{
    private readonly ModelBundle _bundle;
    private readonly TextSampling _sampling;
    private readonly Generator _generator;
    private readonly List<ChatMessage> _messages = [];
    private int _answers;

    /// <summary>Begins a conversation.</summary>
    /// <param name="bundle">The model.</param>
    /// <param name="sampling">How answers are drawn.</param>
    /// <param name="system">The system message, or null.</param>
    /// <exception cref="InvalidDataException">The model does not write text, or has no chat template.</exception>
    public ChatSession(ModelBundle bundle, TextSampling sampling, string? system)
    {
        _bundle = bundle;
        // A model that cannot chat is refused before the first question.
        if (!bundle.ReadsSource)
            _ = bundle.Chat;
        _sampling = sampling;
        SystemMessage = system;
        _generator = new Generator(bundle.Generative);
    }

    /// <summary>The system message, or null.</summary>
    public string? SystemMessage { get; set; }

    /// <summary>Forgets what was said; the system message stays.</summary>
    public void Reset() => _messages.Clear();

    /// <summary>Asks the model; both what is said and the answer, even a cancelled one, become part of the conversation.</summary>
    /// <param name="text">What the user says.</param>
    /// <param name="show">Given the answer as it comes.</param>
    /// <param name="cancellation">Ends the answer early.</param>
    /// <exception cref="UsageException">The message alone is longer than the context.</exception>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public ChatAnswer Ask(string text, Action<string> show, CancellationToken cancellation)
    {
        _messages.Add(new ChatMessage("user", text));
        GenerationRequest request;
        int before = _messages.Count;
        try
        {
            request = FitPrompt();
        }
        catch
        {
            _messages.RemoveAt(_messages.Count - 1);
            throw;
        }
        using GeneratedSequence sequence = _generator.Add(_sampling.Apply(request, _answers++));
        StreamedText streamed = new(_bundle.Tokenizer, request.TextBefore, _sampling.StopTexts);
        bool begun = false;
        while (sequence.Finish is null && !cancellation.IsCancellationRequested)
        {
            foreach (NewToken token in _generator.Step(CancellationToken.None))
            {
                Show(streamed.Append(token.Id));
                if (streamed.Stopped)
                    sequence.Cancel();
            }
        }
        Show(streamed.Finish());
        string answer = streamed.Text.Trim();
        _messages.Add(new ChatMessage("assistant", answer));
        return new ChatAnswer(answer, sequence.Generated.Length, EndReasons.Name(sequence, streamed), before - (_messages.Count - 1));

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

    /// <summary>Frees the cache.</summary>
    public void Dispose() => _generator.Dispose();

    /// <summary>The prompt of the conversation, less the oldest exchanges where there is no room for a fair answer.</summary>
    private GenerationRequest FitPrompt()
    {
        int context = _bundle.ContextLength;
        int room = Math.Min(_sampling.MaxTokens, context / 4);
        GenerationRequest request = Request();
        while (!_bundle.Fits(request, room) && _messages.Count > 1)
        {
            _messages.RemoveAt(0);
            while (_messages.Count > 1 && _messages[0].Role != "user")
                _messages.RemoveAt(0);
            request = Request();
        }
        return _bundle.Fits(request, 1)
            ? request
            : throw new UsageException($"the message takes {request.TokensRead} tokens, but the model's context is {context}; say it in fewer words.");
    }

    private GenerationRequest Request() =>
        _bundle.Answer(new ChatConversation(SystemMessage is null ? _messages : _messages.Prepend(new ChatMessage("system", SystemMessage))));
}
