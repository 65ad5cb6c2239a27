// What the files beside a vocabulary say: tokenizer_config.json, special_tokens_map.json, added_tokens.json and the chat template files.
// Source: transformers, tokenization_utils_base.py (from_pretrained): where tokenizer_config.json has added_tokens_decoder it says all;
// else special_tokens_map.json overrides its tokens, and added_tokens.json adds some.

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gradus.Text;

/// <summary>The settings of a tokenizer's folder.</summary>
internal sealed class TokenizerSettings
{
    public const string ConfigFile = "tokenizer_config.json";
    public const string SpecialFile = "special_tokens_map.json";
    public const string TemplateFile = "chat_template.jinja";
    private const string AddedFile = "added_tokens.json";
    private const string DefaultTemplate = "default";

    /// <summary>The id of a token that a file names without its id.</summary>
    public const int NoId = -1;

    /// <summary>The roles of special tokens, in the order in which transformers adds them.</summary>
    private static readonly string[] Roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly JsonPlace? _config;
    private readonly Dictionary<string, AddedToken?> _named = new(StringComparer.Ordinal);

    private TokenizerSettings(string folder)
    {
        Folder = folder;
        ConfigPath = Path.Combine(folder, ConfigFile);
        _config = ReadObject(ConfigPath);
        JsonPlace decoder = this["added_tokens_decoder"];
        ReadTokens(name => this[name]);
        if (!decoder.IsNull)
        {
            foreach ((string id, JsonPlace token) in decoder.Properties())
                AddById(decoder, id, token);
        }
        else
        {
            ReadOlderFiles();
        }
        foreach (string role in _named.Keys.ToArray())
        {
            if (_named[role] is { } token)
                _named[role] = Added.Values.FirstOrDefault(a => a.Content == token.Content) ?? token;
        }
        ClassName = WithoutFast(this["tokenizer_class"].TextOrNull());
        ReadTemplates();
    }

    public string Folder { get; }

    public string ConfigPath { get; }

    /// <summary>Whether there is a tokenizer_config.json.</summary>
    public bool HasConfig => _config is not null;

    /// <summary>Whether a file names special or added tokens, so that their texts are found in a text.</summary>
    public bool NamesTokens => _named.Count + Added.Count + Additional.Count > 0;

    /// <summary>The class that tokenizer_config.json names, without "Fast" at its end, or null.</summary>
    public string? ClassName { get; }

    /// <summary>Tokens with the ids that the files give them.</summary>
    public SortedDictionary<int, AddedToken> Added { get; } = [];

    /// <summary>More special tokens, without ids.</summary>
    public List<AddedToken> Additional { get; } = [];

    /// <summary>The chat template, or null.</summary>
    public string? ChatTemplate { get; private set; }

    /// <summary>The file that the chat template stands in.</summary>
    public string? ChatTemplateFile { get; private set; }

    /// <summary>Chat templates under other names than "default".</summary>
    public Dictionary<string, string> OtherTemplates { get; } = new(StringComparer.Ordinal);

    /// <summary>A setting of tokenizer_config.json; undefined where it is absent.</summary>
    public JsonPlace this[string name] => _config is null ? new JsonPlace(default, $"{ConfigPath}.{name}") : _config[name];

    /// <summary>The settings of a folder; empty where it has none of the files.</summary>
    public static TokenizerSettings Read(string folder)
    {
        try
        {
            return new TokenizerSettings(folder);
        }
        catch (InvalidDataException e) when (!OneLine.Is(e.Message))
        {
            throw new InvalidDataException(OneLine.Of(e.Message), e);
        }
    }

    /// <summary>The special tokens: what the files say, else what <paramref name="whenAbsent"/> says.</summary>
    public SpecialTokens Special(SpecialTokens whenAbsent)
    {
        return new SpecialTokens(
            Get("bos_token", whenAbsent.Bos), Get("eos_token", whenAbsent.Eos), Get("unk_token", whenAbsent.Unknown), Get("pad_token", whenAbsent.Pad),
            Get("sep_token", whenAbsent.Separator), Get("cls_token", whenAbsent.Classifier), Get("mask_token", whenAbsent.Mask));

        string? Get(string role, string? absent) => _named.TryGetValue(role, out AddedToken? token) ? token?.Content : absent;
    }

    /// <summary>The special tokens that the files name, and the class's own for roles that they do not mention, in transformers' order.</summary>
    public IEnumerable<AddedToken> Mentioned(SpecialTokens classDefaults, Func<string, string, AddedToken> ofClass)
    {
        (string Role, string? Default)[] defaults =
        [
            ("bos_token", classDefaults.Bos), ("eos_token", classDefaults.Eos), ("unk_token", classDefaults.Unknown), ("sep_token", classDefaults.Separator),
            ("pad_token", classDefaults.Pad), ("cls_token", classDefaults.Classifier), ("mask_token", classDefaults.Mask),
        ];
        foreach ((string role, string? absent) in defaults)
        {
            if (_named.TryGetValue(role, out AddedToken? token))
            {
                if (token is not null)
                    yield return token.Id == NoId && IsPlain(role) ? ofClass(role, token.Content) : token;
            }
            else if (absent is not null)
            {
                yield return ofClass(role, absent);
            }
        }
        foreach (AddedToken token in Additional)
            yield return token;
    }

    /// <summary>The class of the model beside the tokenizer, as config.json says it, or null.</summary>
    public (string? ClassName, string? ModelType) OfModel()
    {
        string path = Path.Combine(Folder, "config.json");
        if (!File.Exists(path))
            return default;
        try
        {
            using JsonDocument document = JsonDocument.Parse(Utf8File.Read(path));
            JsonElement root = document.RootElement;
            return root.ValueKind == JsonValueKind.Object ? (WithoutFast(Text(root, "tokenizer_class")), Text(root, "model_type")) : default;
        }
        catch (JsonException)
        {
            // Whoever reads the model says what is wrong with it.
            return default;
        }

        static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    private static string? WithoutFast(string? name) => name is { Length: > 4 } && name.EndsWith("Fast", StringComparison.Ordinal) && name != "PreTrainedTokenizerFast" ? name[..^4] : name;

    private bool IsPlain(string role) => this[role].Element.ValueKind != JsonValueKind.Object;

    private void ReadOlderFiles()
    {
        if (ReadObject(Path.Combine(Folder, SpecialFile)) is { } map)
            ReadTokens(name => map[name]);
        string path = Path.Combine(Folder, AddedFile);
        if (ReadObject(path) is not { } added)
            return;
        HashSet<string> special = [.. _named.Values.OfType<AddedToken>().Concat(Additional).Select(t => t.Content)];
        foreach ((string content, JsonPlace id) in added.Properties())
        {
            bool isSpecial = special.Contains(content);
            Put(new AddedToken(id.Number(), content, isSpecial, Normalized: !isSpecial), id.Path);
        }
    }

    /// <summary>A token is its text, or an object with its text under "content"; null takes it away.</summary>
    private void ReadTokens(Func<string, JsonPlace> file)
    {
        foreach (string role in Roles)
        {
            JsonPlace token = file(role);
            if (token.Element.ValueKind != JsonValueKind.Undefined)
                _named[role] = token.IsNull ? null : Mention(token);
        }
        foreach (string name in new[] { "additional_special_tokens", "extra_special_tokens" })
        {
            JsonPlace list = file(name);
            IEnumerable<JsonPlace> tokens = list.Element.ValueKind == JsonValueKind.Object ? list.Properties().Select(p => p.Value) : list.Items();
            foreach (AddedToken token in tokens.Select(Mention))
            {
                if (Additional.All(a => a.Content != token.Content))
                    Additional.Add(token);
            }
        }
    }

    private static AddedToken Mention(JsonPlace token) =>
        token.Element.ValueKind == JsonValueKind.Object ? ReadToken(token, NoId) with { Special = true } : new AddedToken(NoId, token.Text());

    private static AddedToken ReadToken(JsonPlace token, int id)
    {
        bool special = token["special"].Flag(false);
        return new AddedToken(id, token["content"].Text(), special, token["single_word"].Flag(false), token["lstrip"].Flag(false), token["rstrip"].Flag(false), token["normalized"].Flag(!special));
    }

    private void AddById(JsonPlace decoder, string key, JsonPlace token)
    {
        if (!int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
            throw new InvalidDataException($"{decoder.Path}: \"{key}\" is not the id of a token.");
        Put(token.Element.ValueKind == JsonValueKind.String ? new AddedToken(id, token.Text(), Special: false, Normalized: true) : ReadToken(token, id), token.Path);
    }

    private void Put(AddedToken token, string path)
    {
        if (token.Content.Length == 0)
            throw new InvalidDataException($"{path}: the token with id {token.Id} has no text. Give it one, or take it out.");
        if (Added.TryGetValue(token.Id, out AddedToken? other))
            throw new InvalidDataException($"{path}: the id {token.Id} has two texts, \"{other.Content}\" and \"{token.Content}\". Keep one of them.");
        Added[token.Id] = token;
    }

    /// <summary>chat_template.jinja, else chat_template.json, else tokenizer_config.json; files in additional_chat_templates have other names.</summary>
    private void ReadTemplates()
    {
        ReadTemplates(this["chat_template"], ConfigPath);
        string older = Path.Combine(Folder, "chat_template.json");
        if (ReadObject(older) is { } file)
            ReadTemplates(file["chat_template"], older);
        string path = Path.Combine(Folder, TemplateFile);
        if (File.Exists(path))
            (ChatTemplate, ChatTemplateFile) = (Encoding.UTF8.GetString(Utf8File.Read(path).Span), path);
        string more = Path.Combine(Folder, "additional_chat_templates");
        if (!Directory.Exists(more))
            return;
        foreach (string other in Directory.GetFiles(more, "*.jinja").Order(StringComparer.Ordinal))
            OtherTemplates[Path.GetFileNameWithoutExtension(other)] = Encoding.UTF8.GetString(Utf8File.Read(other).Span);
    }

    /// <summary>One template, a list of named ones, or an object of them.</summary>
    private void ReadTemplates(JsonPlace template, string file)
    {
        if (template.IsNull)
            return;
        IEnumerable<(string Name, string Source)> named = template.Element.ValueKind switch
        {
            JsonValueKind.Array => template.Items().Select(t => (t["name"].Text(), t["template"].Text())),
            JsonValueKind.Object => template.Properties().Select(t => (t.Name, t.Value.Text())),
            _ => [(DefaultTemplate, template.Text())],
        };
        ChatTemplateFile = file;
        foreach ((string name, string source) in named)
        {
            if (name == DefaultTemplate)
                ChatTemplate = source;
            else
                OtherTemplates[name] = source;
        }
    }

    private static JsonPlace? ReadObject(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            using JsonDocument document = JsonDocument.Parse(Utf8File.Read(path));
            return document.RootElement.ValueKind == JsonValueKind.Object ? new JsonPlace(document.RootElement.Clone(), path) : throw new InvalidDataException($"{path}: expected an object at the top.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException(OneLine.Of($"{path}: not JSON, line {e.LineNumber + 1}: {e.Message}"), e);
        }
    }
}
