using System.Text;
using System.Text.Json;
using Gradus.Bundle;
using Gradus.Generation.Structure.ToolCalls;
using Microsoft.Extensions.AI;

namespace Gradus.Clients;

/// <summary>Makes contents of the tokens of an answer as they come: reasoning, text, calls.</summary>
/// <param name="text">The text of the tokens.</param>
/// <param name="reasoning">Takes reasoning apart; null where the model has none.</param>
/// <param name="calls">Takes calls apart; null where there are no tools.</param>
/// <param name="dropsFirstSpace">Whether the space that a first word brings belongs to the prompt.</param>
internal sealed class AnswerReader(StreamedText text, ReasoningSplitter? reasoning, ToolCallParser? calls, bool dropsFirstSpace)
{
    private readonly StringBuilder _arguments = new();
    private bool _begun = !dropsFirstSpace;
    private string? _name;

    /// <summary>How many calls are whole.</summary>
    public int Calls { get; private set; }

    /// <summary>Tokens of reasoning so far.</summary>
    public int ReasoningTokens { get; private set; }

    /// <summary>Whether a stop text has come.</summary>
    public bool Stopped => text.Stopped;

    /// <summary>Adds a token.</summary>
    /// <returns>What it completes.</returns>
    public List<AIContent> Append(int id)
    {
        List<AIContent> contents = Take(text.Append(id), last: false);
        ReasoningTokens += reasoning?.IsReasoning == true ? 1 : 0;
        return contents;
    }

    /// <summary>Ends the answer.</summary>
    /// <returns>What was held back.</returns>
    public List<AIContent> Finish() => Take(text.Finish(), last: true);

    private List<AIContent> Take(string part, bool last)
    {
        List<AIContent> contents = [];
        if (!_begun)
            part = part.TrimStart(' ');
        _begun |= part.Length > 0;
        if (reasoning is not null)
        {
            (string thought, part) = reasoning.Add(part, last);
            if (thought.Length > 0)
                contents.Add(new TextReasoningContent(thought));
        }
        if (calls is null)
        {
            Write(contents, part);
            return contents;
        }
        foreach (ToolCallPiece piece in calls.Add(part))
            Take(contents, piece);
        if (last)
        {
            foreach (ToolCallPiece piece in calls.Finish())
                Take(contents, piece);
            EndCall(contents);
        }
        return contents;
    }

    private void Take(List<AIContent> contents, in ToolCallPiece piece)
    {
        if (piece.Text is { } written)
        {
            EndCall(contents);
            Write(contents, written);
        }
        if (piece.Name is { } name)
        {
            EndCall(contents);
            _name = name;
        }
        if (piece.Arguments is { } arguments)
        {
            _arguments.Append(arguments);
            if (IsWhole(_arguments.ToString()))
                EndCall(contents);
        }
    }

    private static void Write(List<AIContent> contents, string part)
    {
        if (part.Length > 0)
            contents.Add(new TextContent(part));
    }

    // A call that breaks off is none: nobody could run it.
    private void EndCall(List<AIContent> contents)
    {
        if (_name is { } name && IsWhole(_arguments.ToString()))
        {
            contents.Add(FunctionCallContent.CreateFromParsedArguments(_arguments.ToString(), $"call_{Guid.NewGuid():N}", name, Arguments));
            Calls++;
            _name = null;
        }
        if (_name is null)
            _arguments.Clear();
    }

    private static bool IsWhole(string json)
    {
        string trimmed = json.TrimEnd();
        if (!trimmed.EndsWith('}'))
            return false;
        try
        {
            using JsonDocument document = JsonDocument.Parse(trimmed);
            return document.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static Dictionary<string, object?> Arguments(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        Dictionary<string, object?> arguments = [];
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
            arguments[property.Name] = property.Value.Clone();
        return arguments;
    }
}
