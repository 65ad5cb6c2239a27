using System.Text;
using System.Text.Json;

namespace Gradus.Generation.Structure.ToolCalls;

/// <summary>What a piece of a model's answer is.</summary>
/// <param name="Text">Text for the reader; null where it is none.</param>
/// <param name="Call">The number of the call that the piece belongs to, from 0; −1 for text.</param>
/// <param name="Name">The tool's name, once for each call, before its arguments.</param>
/// <param name="Arguments">The next part of the arguments' JSON.</param>
public readonly record struct ToolCallPiece(string? Text, int Call, string? Name, string? Arguments);

/// <summary>
/// Takes calls out of a model's answer while it is written: text goes on at once, but for what may begin a marker, and arguments go on
/// as they come. Belongs to one thread at a time.
/// </summary>
/// <param name="format">How calls are written; that of the grammar.</param>
public sealed class ToolCallParser(ToolCallFormat format)
{
    private readonly StringBuilder _held = new();
    private State _state = State.Text;
    private int _call = -1;
    private int _depth;
    private bool _inText;
    private bool _hasText;
    private bool _escaped;

    private enum State
    {
        Text,
        Name,
        Arguments,
        After,
    }

    /// <summary>How many calls have begun.</summary>
    public int Calls => _call + 1;

    /// <summary>Takes the next part of the answer.</summary>
    /// <param name="text">The part.</param>
    /// <returns>What is certain by now.</returns>
    public IReadOnlyList<ToolCallPiece> Add(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        _held.Append(text);
        List<ToolCallPiece> pieces = [];
        while (Step(pieces))
        {
        }
        return pieces;
    }

    /// <summary>Ends the answer.</summary>
    /// <returns>What was held back: text that looked like the beginning of a call, or nothing.</returns>
    public IReadOnlyList<ToolCallPiece> Finish()
    {
        string rest = _held.ToString();
        _held.Clear();
        // Without markers an object that is no call is an answer.
        bool isText = _state == State.Text || (_state == State.Name && _call < 0 && format.Trigger.Length == 0);
        return isText && rest.Length > 0 ? [new ToolCallPiece(rest, -1, null, null)] : [];
    }

    private bool Step(List<ToolCallPiece> pieces) => _state switch
    {
        State.Text => TakeText(pieces),
        State.Name => TakeName(pieces),
        State.Arguments => TakeArguments(pieces),
        _ => TakeAfter(),
    };

    private bool TakeText(List<ToolCallPiece> pieces)
    {
        string held = _held.ToString();
        string trigger = format.Trigger;
        if (trigger.Length == 0)
        {
            // A call is the whole answer: it begins with a brace, or there is none.
            string start = held.TrimStart();
            if (start.Length == 0)
                return false;
            if (start[0] == '{' && _call < 0 && !_hasText)
            {
                _state = State.Name;
                return true;
            }
            Emit(pieces, held.Length);
            return false;
        }
        int at = held.IndexOf(trigger, StringComparison.Ordinal);
        if (at >= 0)
        {
            Emit(pieces, at);
            _held.Remove(0, trigger.Length);
            _state = State.Name;
            return true;
        }
        int keep = trigger.Length - 1;
        while (keep > 0 && !(keep <= held.Length && held.AsSpan(held.Length - keep).SequenceEqual(trigger.AsSpan(0, keep))))
            keep--;
        Emit(pieces, held.Length - keep);
        return false;
    }

    private void Emit(List<ToolCallPiece> pieces, int length)
    {
        if (length > 0)
            pieces.Add(new ToolCallPiece(_held.ToString(0, length), -1, null, null));
        _hasText |= length > 0;
        _held.Remove(0, length);
    }

    private bool TakeName(List<ToolCallPiece> pieces)
    {
        string held = _held.ToString();
        string? name;
        int after;
        if (format.ArgumentsKey is null)
        {
            after = held.IndexOf(format.AfterName, StringComparison.Ordinal);
            if (after < 0)
                return false;
            name = held[..after];
            after += format.AfterName.Length;
        }
        else if (!TryReadHead(held, out name, out after))
        {
            return false;
        }
        _call++;
        pieces.Add(new ToolCallPiece(null, _call, name, null));
        _held.Remove(0, after);
        (_state, _depth, _inText, _escaped) = (State.Arguments, 0, false, false);
        return true;
    }

    /// <summary>The name, and where the arguments begin, of <c>{"name": "…", "arguments": …</c>.</summary>
    private bool TryReadHead(string held, out string? name, out int after)
    {
        (name, after) = (null, 0);
        Utf8JsonReader reader = new(Encoding.UTF8.GetBytes(held), isFinalBlock: false, default);
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth != 1 || reader.TokenType != JsonTokenType.PropertyName)
                    continue;
                if (reader.ValueTextEquals(format.ArgumentsKey) && name is not null)
                {
                    int colon = (int)reader.BytesConsumed;
                    after = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(held).AsSpan(0, colon)).Length;
                    int begins = held.AsSpan(after).IndexOf('{');
                    after += Math.Max(begins, 0);
                    return begins >= 0;
                }
                if (reader.ValueTextEquals("name") && reader.Read() && reader.TokenType == JsonTokenType.String)
                    name = reader.GetString();
            }
        }
        catch (JsonException)
        {
            // No call after all; Finish gives nothing back of a call that breaks off.
        }
        return false;
    }

    private bool TakeArguments(List<ToolCallPiece> pieces)
    {
        for (int i = 0; i < _held.Length; i++)
        {
            char c = _held[i];
            if (_inText)
            {
                _inText = c != '"' || _escaped;
                _escaped = c == '\\' && !_escaped;
                continue;
            }
            if (c == '"')
                (_inText, _escaped) = (true, false);
            else if (c is '{' or '[')
                _depth++;
            else if (c is '}' or ']' && --_depth == 0)
            {
                pieces.Add(new ToolCallPiece(null, _call, null, _held.ToString(0, i + 1)));
                _held.Remove(0, i + 1);
                _state = State.After;
                return true;
            }
        }
        if (_held.Length > 0)
            pieces.Add(new ToolCallPiece(null, _call, null, _held.ToString()));
        _held.Clear();
        return false;
    }

    /// <summary>Passes over what closes a call, and finds out whether another begins.</summary>
    private bool TakeAfter()
    {
        string held = _held.ToString();
        string close = (format.ArgumentsKey is null ? "" : "}") + format.CallClose;
        string rest = format.ArgumentsKey is null ? held : held.TrimStart(' ');
        if (rest.Length < close.Length)
            return false;
        if (!rest.StartsWith(close, StringComparison.Ordinal))
        {
            _state = State.Text;
            return true;
        }
        rest = rest[close.Length..];
        string next = format.Separator + format.CallOpen;
        foreach ((string marker, State state) in new[] { (format.Close, State.Text), (next, State.Name) })
        {
            if (marker.Length > 0 && rest.StartsWith(marker, StringComparison.Ordinal))
            {
                _held.Clear().Append(rest[marker.Length..]);
                _state = state;
                return true;
            }
        }
        if ((format.Close.Length > 0 && format.Close.StartsWith(rest, StringComparison.Ordinal)) || (next.Length > 0 && next.StartsWith(rest, StringComparison.Ordinal)))
            return false;
        _held.Clear().Append(rest);
        _state = State.Text;
        return true;
    }
}
