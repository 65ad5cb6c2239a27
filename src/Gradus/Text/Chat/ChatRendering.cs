using System.Text.Json.Nodes;

namespace Gradus.Text.Chat;

/// <summary>How to render a conversation.</summary>
/// <param name="AddGenerationPrompt">Whether to end with the header of the answer that the model is to write.</param>
/// <param name="BosToken">The template's <c>bos_token</c>; undefined for the template where null.</param>
/// <param name="EosToken">The template's <c>eos_token</c>; undefined for the template where null.</param>
/// <param name="Variables">Further variables by name, such as <c>enable_thinking</c>; they win over all others.</param>
/// <param name="Clock">The time for <c>strftime_now</c>; the system's where null.</param>
/// <param name="Limits">Bounds on the rendering; the default ones where null.</param>
public sealed record ChatRenderOptions(
    bool AddGenerationPrompt = false,
    string? BosToken = null,
    string? EosToken = null,
    IReadOnlyDictionary<string, JsonNode?>? Variables = null,
    TimeProvider? Clock = null,
    ChatTemplateLimits? Limits = null);

/// <summary>A range of a rendered text that belongs to a message.</summary>
/// <param name="Message">The number of the message, from 0.</param>
/// <param name="Role">Its role.</param>
/// <param name="Start">The first UTF-16 character.</param>
/// <param name="Length">The number of UTF-16 characters, at least 1.</param>
public readonly record struct RoleSpan(int Message, string Role, int Start, int Length)
{
    /// <summary>The position behind the last character.</summary>
    public int End => Start + Length;
}

/// <summary>A rendered conversation with the ranges that came from its messages.</summary>
/// <param name="Text">The text to tokenize, special tokens included as text.</param>
/// <param name="Messages">
/// The ranges of every message, sorted by start: the whole turn (header, content, terminator) where a loop of the template
/// prints it, else the content alone. A span lies inside another where a template prints one message within another's turn,
/// as Llama 2 does with the system message.
/// </param>
/// <param name="Assistant">What the assistant writes, sorted and without overlap: all that training on answers should learn.</param>
public sealed record ChatRendering(string Text, IReadOnlyList<RoleSpan> Messages, IReadOnlyList<RoleSpan> Assistant);
