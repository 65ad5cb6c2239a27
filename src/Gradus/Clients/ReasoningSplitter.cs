using System.Text;

namespace Gradus.Clients;

/// <summary>
/// Takes the reasoning out of an answer while it is written: what stands between two marks at its beginning. What may begin a mark is held back.
/// </summary>
/// <param name="isOpen">Whether the prompt has opened the reasoning already.</param>
public sealed class ReasoningSplitter(bool isOpen)
{
    /// <summary>Opens the reasoning.</summary>
    public const string Begin = "<think>";

    /// <summary>Closes it.</summary>
    public const string End = "</think>";

    private readonly StringBuilder _held = new();
    private State _state = isOpen ? State.Reasoning : State.Before;

    private enum State
    {
        Before,
        Reasoning,
        After,
        Text,
    }

    /// <summary>Whether the model is reasoning.</summary>
    public bool IsReasoning => _state == State.Reasoning;

    /// <summary>What is held back because it may begin a mark, or stands between reasoning and answer.</summary>
    public string Held => _held.ToString();

    /// <summary>Takes the next part of the answer.</summary>
    /// <param name="added">The part.</param>
    /// <param name="last">Whether nothing follows.</param>
    /// <returns>What is certain by now.</returns>
    public (string Reasoning, string Text) Add(string added, bool last)
    {
        _held.Append(added);
        string reasoning = "";
        if (_state == State.Before)
        {
            string start = _held.ToString().TrimStart();
            if (start.StartsWith(Begin, StringComparison.Ordinal))
            {
                _held.Clear().Append(start[Begin.Length..]);
                _state = State.Reasoning;
            }
            else if (!Begin.StartsWith(start, StringComparison.Ordinal) || last)
            {
                _state = State.Text;
            }
        }
        if (_state == State.Reasoning)
            reasoning = TakeReasoning(last);
        if (_state == State.After)
            DropSpace();
        return (reasoning, _state == State.Text ? Take(_held.Length) : "");
    }

    private string TakeReasoning(bool last)
    {
        string held = _held.ToString();
        int at = held.IndexOf(End, StringComparison.Ordinal);
        if (at >= 0)
        {
            _held.Remove(0, at + End.Length);
            _state = State.After;
            return held[..at];
        }
        int keep = last ? 0 : End.Length - 1;
        while (keep > 0 && !(keep <= held.Length && held.EndsWith(End[..keep], StringComparison.Ordinal)))
            keep--;
        return Take(held.Length - keep);
    }

    // Between reasoning and answer there is white space that belongs to neither.
    private void DropSpace()
    {
        int space = 0;
        while (space < _held.Length && char.IsWhiteSpace(_held[space]))
            space++;
        _held.Remove(0, space);
        if (_held.Length > 0)
            _state = State.Text;
    }

    private string Take(int length)
    {
        string taken = _held.ToString(0, length);
        _held.Remove(0, length);
        return taken;
    }
}
