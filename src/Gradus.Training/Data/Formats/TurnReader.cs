using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Text.Chat;

namespace Gradus.Training.Data.Formats;

/// <summary>
/// Reads the turns of a conversation: OpenAI's <c>role</c> and <c>content</c> or ShareGPT's <c>from</c> and <c>value</c>, with calls of tools,
/// content in parts, and <c>weight</c> or <c>train</c>.
/// </summary>
internal sealed class TurnReader(RecordFields fields)
{
    private static readonly Dictionary<string, string> Roles = new(StringComparer.OrdinalIgnoreCase)
    {
        ["system"] = "system",
        ["developer"] = "system",
        ["user"] = "user",
        ["human"] = "user",
        ["prompter"] = "user",
        ["assistant"] = "assistant",
        ["gpt"] = "assistant",
        ["model"] = "assistant",
        ["bot"] = "assistant",
        ["chatgpt"] = "assistant",
        ["ai"] = "assistant",
        ["function_call"] = "assistant",
        ["tool_call"] = "assistant",
        ["tool"] = "tool",
        ["observation"] = "tool",
        ["function"] = "tool",
        ["function_response"] = "tool",
        ["tool_response"] = "tool",
        ["ipython"] = "tool",
        ["environment"] = "tool",
    };

    // What a turn may say besides, with what becomes of it.
    private static readonly HashSet<string> Refused = new(StringComparer.OrdinalIgnoreCase)
    {
        "reasoning", "thinking", "train_detail", "loss", "loss_mask", "loss_weight", "mask", "refusal", "image", "images", "audio", "video", "prefix",
    };

    private readonly List<ChatMessage> _messages = [];
    private readonly List<bool> _trained = [];

    /// <summary>The messages read so far.</summary>
    public IReadOnlyList<ChatMessage> Messages => _messages;

    /// <summary>For every message whether it is learned; only the assistant's can be.</summary>
    public IReadOnlyList<bool> Trained => _trained;

    /// <summary>Whether an answer is empty; it is read and not learned.</summary>
    public bool HasEmptyAnswer { get; private set; }

    /// <summary>The fields of turns that nothing reads.</summary>
    public HashSet<string> Unread { get; } = [];

    /// <summary>Adds a message of text.</summary>
    public void Add(string role, string text, bool trained = true)
    {
        _messages.Add(new ChatMessage(role, text));
        _trained.Add(IsLearned(role, text, trained));
    }

    /// <summary>Puts a system message first.</summary>
    /// <exception cref="InvalidDataException">The conversation has one already.</exception>
    public void AddSystem(string? text)
    {
        if (text is null)
            return;
        if (_messages.Any(m => m.Role == "system"))
            throw fields.Record.Wrong("the record has a field \"system\" and a system message; keep one of them.");
        _messages.Insert(0, new ChatMessage("system", text));
        _trained.Insert(0, false);
    }

    /// <summary>Reads a list of turns, or its JSON text.</summary>
    /// <param name="list">The list.</param>
    /// <param name="name">The field it stands in.</param>
    /// <param name="trained">Whether the assistant's turns are learned where they do not say themselves.</param>
    /// <exception cref="InvalidDataException">It is no list of turns; the message names the turn.</exception>
    public void Read(JsonElement list, string name, bool trained = true)
    {
        if (list.ValueKind == JsonValueKind.String)
        {
            using JsonDocument? document = Parsed(list.GetString()!);
            if (document?.RootElement.ValueKind == JsonValueKind.Array)
            {
                Read(document.RootElement.Clone(), name, trained);
                return;
            }
        }
        if (list.ValueKind != JsonValueKind.Array)
            throw fields.Record.Wrong($"{name} must be a list of turns.");
        if (list.GetArrayLength() == 0)
            throw fields.Record.Wrong($"{name} is empty; a conversation has at least one turn.");
        int number = 0;
        foreach (JsonElement turn in list.EnumerateArray())
            ReadTurn(turn, $"{name}[{number++}]", trained);
    }

    /// <summary>Reads one turn.</summary>
    /// <param name="turn">The turn.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="trained">Whether it is learned where it does not say itself.</param>
    /// <exception cref="InvalidDataException">It is no turn; the message says what is wrong.</exception>
    public void ReadOne(JsonElement turn, string name, bool trained) => ReadTurn(turn, name, trained);

    private void ReadTurn(JsonElement turn, string name, bool trained)
    {
        InvalidDataException Wrong(string what) => fields.Record.Wrong($"{name}: {what}.");
        if (turn.ValueKind != JsonValueKind.Object)
            throw Wrong("a turn must be an object with role and content, or from and value");
        bool shareGpt = turn.TryGetProperty("from", out JsonElement from) && !turn.TryGetProperty("role", out _);
        string roleField = shareGpt ? "from" : "role", contentField = shareGpt ? "value" : "content";
        if ((shareGpt ? from : turn.TryGetProperty("role", out JsonElement given) ? given : default) is not { ValueKind: JsonValueKind.String } who)
            throw Wrong($"a turn needs a role that is text; it has {DataRecord.Names(turn)}");
        if (!Roles.TryGetValue(who.GetString()!, out string? role))
            throw Wrong($"the {roleField} \"{who.GetString()}\" is unknown; known are {string.Join(", ", Roles.Keys)}");
        bool isCall = who.GetString()!.EndsWith("_call", StringComparison.OrdinalIgnoreCase);
        bool hasContent = turn.TryGetProperty(contentField, out JsonElement content) && content.ValueKind != JsonValueKind.Null;
        JsonArray? calls = CallsOf(turn, isCall && hasContent ? content : null, Wrong);
        if (!hasContent && calls is null)
            throw Wrong($"the {role} turn has no {contentField}; it has {DataRecord.Names(turn)}. Give it text, or leave the record out");
        JsonObject message = new() { ["role"] = role, ["content"] = hasContent && !isCall ? Content(content, Wrong) : null };
        if (calls is not null)
            message["tool_calls"] = role == "assistant" ? calls : throw Wrong("only the assistant calls tools");
        bool learned = Learned(turn, role, trained, Wrong);
        CopyRest(turn, message, Wrong);
        ChatMessage read = ChatMessage.FromJson(message);
        _messages.Add(read);
        _trained.Add(calls is not null ? learned : IsLearned(role, read.Text ?? "", learned));
    }

    // Nothing is no answer that one would want to be learned.
    private bool IsLearned(string role, string text, bool trained)
    {
        bool answers = trained && role == "assistant";
        HasEmptyAnswer |= answers && string.IsNullOrWhiteSpace(text);
        return answers && !string.IsNullOrWhiteSpace(text);
    }

    private static JsonArray? CallsOf(JsonElement turn, JsonElement? content, Func<string, InvalidDataException> wrong)
    {
        JsonElement? given = content ?? Field(turn, "tool_calls") ?? Field(turn, "function_call");
        return given is { } calls && !RecordFields.IsEmpty(calls) && ToolFields.Calls(calls, wrong) is { Count: > 0 } read ? read : null;
    }

    private static JsonElement? Field(JsonElement turn, string name) =>
        turn.TryGetProperty(name, out JsonElement value) && !RecordFields.IsEmpty(value) ? value : null;

    // Text, or parts of text; a number, a boolean or an object is its JSON text.
    private static string Content(JsonElement content, Func<string, InvalidDataException> wrong)
    {
        if (IsTextPart(content, out JsonElement single))
            return DataRecord.TextOf(single);
        if (content.ValueKind != JsonValueKind.Array)
            return DataRecord.TextOf(content);
        List<string> texts = [];
        foreach (JsonElement part in content.EnumerateArray())
        {
            if (IsTextPart(part, out JsonElement text))
                texts.Add(DataRecord.TextOf(text));
            else if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty("type", out JsonElement type) && type.ValueKind == JsonValueKind.String)
                throw wrong($"a part of the content is of the type \"{type.GetString()}\"; only text is learned here");
            else
                throw wrong("the content is a list of something else than parts {\"type\": \"text\", \"text\": …}");
        }
        return string.Concat(texts);
    }

    private static bool IsTextPart(JsonElement part, out JsonElement text)
    {
        text = default;
        return part.ValueKind == JsonValueKind.Object && part.TryGetProperty("text", out text) && text.ValueKind is not (JsonValueKind.Null or JsonValueKind.Array or JsonValueKind.Object)
            && (!part.TryGetProperty("type", out JsonElement type) ? part.EnumerateObject().Count() == 1
                : type.ValueKind == JsonValueKind.String && type.GetString() is "text" or "input_text" or "output_text");
    }

    private static bool Learned(JsonElement turn, string role, bool trained, Func<string, InvalidDataException> wrong)
    {
        bool? said = null;
        if (Field(turn, "weight") is { } weight)
        {
            said = weight.ValueKind == JsonValueKind.Number && weight.GetDouble() is var w and (0 or 1)
                ? w == 1
                : throw wrong($"weight {weight.GetRawText()}; a turn is learned (1) or not (0)");
        }
        foreach (string name in new[] { "train", "trainable" })
        {
            if (Field(turn, name) is not { } flag)
                continue;
            bool learn = flag.ValueKind is JsonValueKind.True or JsonValueKind.False ? flag.GetBoolean() : throw wrong($"{name} must be true or false");
            said = said is null || said == learn ? learn : throw wrong($"weight and {name} contradict each other");
        }
        if (said == true && role != "assistant")
            throw wrong($"the {role} turn is to be learned, but only the assistant's are; take the weight out, or give the turn to the assistant");
        return said ?? trained;
    }

    private void CopyRest(JsonElement turn, JsonObject message, Func<string, InvalidDataException> wrong)
    {
        foreach (JsonProperty property in turn.EnumerateObject())
        {
            if (property.Name is "role" or "from" or "content" or "value" or "tool_calls" or "function_call" or "weight" or "train" or "trainable" || RecordFields.IsEmpty(property.Value))
                continue;
            if (property.Name is "name" or "tool_call_id" or "reasoning_content")
                message[property.Name] = JsonNode.Parse(property.Value.GetRawText());
            else if (Refused.Contains(property.Name))
                throw wrong($"the field \"{property.Name}\" would change what is learned and is not read here; take it out");
            else
                Unread.Add(property.Name);
        }
    }

    private static JsonDocument? Parsed(string text)
    {
        try
        {
            return JsonDocument.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
