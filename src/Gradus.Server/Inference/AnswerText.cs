using System.Text;
using Gradus.Bundle;
using Gradus.Generation.Structure.ToolCalls;

namespace Gradus.Server.Inference;

/// <summary>
/// Turns the tokens of one answer into what may be sent: text without stop texts, reasoning apart from the answer, and calls of tools. What
/// may turn out to be the beginning of a marker is held back.
/// </summary>
internal sealed class AnswerText
{
    public const string ReasoningOpen = "<think>";
    public const string ReasoningClose = "</think>";
    private readonly StreamedText _text;
    private readonly TokenVocabulary _vocabulary;
    private readonly ToolCallParser? _calls;
    private readonly List<InferencePiece> _pieces = [];
    private readonly int _answer;
    private string _held = "";
    private long _taken;
    private State _state;

    /// <summary>Begins an answer.</summary>
    /// <param name="answer">Its number.</param>
    /// <param name="text">Its text with the stop texts.</param>
    /// <param name="vocabulary">What tokens write.</param>
    /// <param name="calls">How calls are written; null where none are looked for.</param>
    /// <param name="reasoning">Whether the model reasons: null no, false only if it says so, true it has begun already.</param>
    public AnswerText(int answer, StreamedText text, TokenVocabulary vocabulary, ToolCallFormat? calls, bool? reasoning)
    {
        _answer = answer;
        _text = text;
        _vocabulary = vocabulary;
        _calls = calls is null ? null : new ToolCallParser(calls);
        _state = reasoning switch { null => State.Answer, true => State.Reasoning, false => State.Beginning };
    }

    private enum State
    {
        Beginning,
        Reasoning,
        AfterReasoning,
        Answer,
    }

    /// <summary>Whether a stop text has come.</summary>
    public bool Stopped => _text.Stopped;

    /// <summary>Whether the model is reasoning.</summary>
    public bool Reasons => _state == State.Reasoning;

    /// <summary>The stop text that has come, or null.</summary>
    public string? StopText => _text.StopText;

    /// <summary>The bytes of the text that were sent or belong to a marker, from its beginning.</summary>
    public long ReleasedBytes => _taken - Encoding.UTF8.GetByteCount(_held);

    /// <summary>How many calls have begun.</summary>
    public int Calls => _calls?.Calls ?? 0;

    /// <summary>Takes a token.</summary>
    /// <returns>What can be sent now.</returns>
    public IReadOnlyList<InferencePiece> Append(int id)
    {
        _pieces.Clear();
        if (_vocabulary.Marker(id) is { } marker && !_text.Stopped)
        {
            Take(_text.Finish());
            Take(marker);
        }
        else
        {
            Take(_text.Append(id));
        }
        return _pieces;
    }

    /// <summary>Ends the answer.</summary>
    /// <returns>What was held back.</returns>
    public IReadOnlyList<InferencePiece> Finish()
    {
        _pieces.Clear();
        Take(_text.Finish());
        string rest = _held;
        _held = "";
        if (_state == State.Reasoning)
            AddReasoning(rest);
        else
            Answer(rest);
        if (_calls is not null)
            Add(_calls.Finish());
        return _pieces;
    }

    private void Take(string text)
    {
        if (text.Length == 0)
            return;
        _held += text;
        _taken += Encoding.UTF8.GetByteCount(text);
        while (Step())
        {
        }
    }

    private bool Step()
    {
        switch (_state)
        {
            case State.Beginning:
                string begun = _held.TrimStart();
                if (begun.StartsWith(ReasoningOpen, StringComparison.Ordinal))
                {
                    _held = begun[ReasoningOpen.Length..];
                    _state = State.Reasoning;
                    return true;
                }
                if (ReasoningOpen.StartsWith(begun, StringComparison.Ordinal))
                    return false;
                _state = State.Answer;
                return true;
            case State.Reasoning:
                return ReadReasoning();
            case State.AfterReasoning:
                _held = _held.TrimStart('\n');
                if (_held.Length == 0)
                    return false;
                _state = State.Answer;
                return true;
            default:
                string held = _held;
                _held = "";
                Answer(held);
                return false;
        }
    }

    private bool ReadReasoning()
    {
        int at = _held.IndexOf(ReasoningClose, StringComparison.Ordinal);
        if (at >= 0)
        {
            AddReasoning(_held[..at]);
            _held = _held[(at + ReasoningClose.Length)..];
            _state = State.AfterReasoning;
            return true;
        }
        int keep = Math.Min(ReasoningClose.Length - 1, _held.Length);
        while (keep > 0 && !ReasoningClose.StartsWith(_held[^keep..], StringComparison.Ordinal))
            keep--;
        AddReasoning(_held[..^keep]);
        _held = _held[^keep..];
        return false;
    }

    private void AddReasoning(string text)
    {
        if (text.Length > 0)
            _pieces.Add(new InferencePiece(_answer) { Reasoning = text });
    }

    private void Answer(string text)
    {
        if (text.Length == 0)
            return;
        if (_calls is null)
            _pieces.Add(new InferencePiece(_answer) { Text = text });
        else
            Add(_calls.Add(text));
    }

    private void Add(IReadOnlyList<ToolCallPiece> parsed)
    {
        foreach (ToolCallPiece piece in parsed)
            _pieces.Add(piece.Text is { } text ? new InferencePiece(_answer) { Text = text } : new InferencePiece(_answer) { Call = piece });
    }
}
