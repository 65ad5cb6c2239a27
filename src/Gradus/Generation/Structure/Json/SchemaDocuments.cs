using System.Text.Json;

namespace Gradus.Generation.Structure.Json;

/// <summary>One schema inside a document.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Element">What it says.</param>
/// <param name="Path">Where it stands, as a JSON pointer behind <c>#</c>.</param>
/// <param name="Base">The address that its references start from.</param>
/// <param name="Dialect">The rules that its document follows.</param>
internal sealed record Schema(int Id, JsonElement Element, string Path, Uri Base, SchemaDialect Dialect)
{
    /// <summary>A keyword's value; undefined where it is absent.</summary>
    public JsonElement this[string keyword] => Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(keyword, out JsonElement value) ? value : default;

    public bool Has(string keyword) => this[keyword].ValueKind != JsonValueKind.Undefined;

    public StructureException Refused(string keyword, string reason) => new($"{Path}/{keyword}: {reason}");
}

/// <summary>What differs between the drafts.</summary>
internal enum SchemaDialect
{
    /// <summary>Drafts 3 to 7: keywords beside $ref do not count.</summary>
    Older,

    /// <summary>2019-09.</summary>
    Draft2019,

    /// <summary>2020-12, and documents that do not say.</summary>
    Newer,
}

/// <summary>The documents that schemas stand in, and what their references mean.</summary>
internal sealed class SchemaDocuments
{
    private const int MostSchemas = 200_000;
    private static readonly Uri Nowhere = new("schema:/document");

    private readonly Dictionary<string, (JsonElement Element, string Path, Uri Base, SchemaDialect Dialect)> _resources = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (JsonElement Element, string Path, Uri Base, SchemaDialect Dialect)> _anchors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _dynamicAnchors = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Path, string Base), Schema> _schemas = [];
    private readonly List<Schema> _byId = [];
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    public SchemaDocuments(JsonElement root, IReadOnlyDictionary<string, JsonElement> others)
    {
        foreach ((string address, JsonElement document) in others)
        {
            Uri uri = new(address, UriKind.Absolute);
            Index(document, $"{address}#", uri, Dialect(document, address), isRoot: true);
        }
        SchemaDialect dialect = Dialect(root, "#");
        Index(root, "#", Nowhere, dialect, isRoot: true);
        Root = Intern(root, "#", BaseOf(root, Nowhere, dialect), dialect);
    }

    public Schema Root { get; }

    /// <summary>Whether any document has a keyword, or a property of that name.</summary>
    public bool Uses(string keyword) => _used.Contains(keyword);

    public Schema this[int id] => _byId[id];

    /// <summary>A schema below another, by the keyword and what comes after it.</summary>
    public Schema Below(Schema parent, JsonElement element, params ReadOnlySpan<string> steps)
    {
        string path = parent.Path;
        foreach (string step in steps)
            path = $"{path}/{Escape(step)}";
        return Intern(element, path, BaseOf(element, parent.Base, parent.Dialect), parent.Dialect);
    }

    /// <summary>A schema that no document has, such as that of one constant.</summary>
    public Schema Made(string json, string path)
    {
        using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 256 });
        return Intern(document.RootElement.Clone(), $"{path} {json}", Nowhere, SchemaDialect.Newer);
    }

    /// <summary>The schema at a place of the main document.</summary>
    /// <param name="pointer">The place, as a JSON pointer.</param>
    public Schema At(string pointer) => Pointer(Root, "$ref", pointer, pointer.TrimStart('#'), (Root.Element, Root.Path, Root.Base, Root.Dialect));

    /// <summary>What a $ref means.</summary>
    public Schema Resolve(Schema schema, string keyword)
    {
        JsonElement value = schema[keyword];
        if (value.ValueKind != JsonValueKind.String)
            throw schema.Refused(keyword, "expected a text.");
        string reference = value.GetString()!;
        if (!Uri.TryCreate(schema.Base, reference, out Uri? target))
            throw schema.Refused(keyword, $"\"{reference}\" is no reference.");
        string fragment = Uri.UnescapeDataString(target.Fragment.TrimStart('#'));
        string resource = Resource(target);
        if (keyword is "$dynamicRef" or "$recursiveRef" && _dynamicAnchors.GetValueOrDefault(fragment) > 1)
            throw schema.Refused(keyword, $"\"{reference}\" depends on where the schema is used; write a $ref.");
        if (fragment.Length > 0 && fragment[0] != '/')
        {
            return _anchors.TryGetValue($"{resource}#{fragment}", out var anchor)
                ? Intern(anchor.Element, anchor.Path, anchor.Base, anchor.Dialect)
                : throw schema.Refused(keyword, $"there is no anchor \"{reference}\".");
        }
        if (!_resources.TryGetValue(resource, out var found))
            throw schema.Refused(keyword, $"the document \"{reference}\" is not here; give it with the schema.");
        return Pointer(schema, keyword, reference, fragment, found);
    }

    private static string Resource(Uri uri) => uri.GetLeftPart(UriPartial.Query);

    private Schema Pointer(Schema schema, string keyword, string reference, string pointer, (JsonElement Element, string Path, Uri Base, SchemaDialect Dialect) from)
    {
        (JsonElement element, string path, Uri address, SchemaDialect dialect) = from;
        foreach (string step in pointer.Split('/').Skip(1))
        {
            string name = step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            path = $"{path}/{step}";
            bool found = element.ValueKind switch
            {
                JsonValueKind.Object => element.TryGetProperty(name, out element),
                JsonValueKind.Array when int.TryParse(name, out int i) && i >= 0 && i < element.GetArrayLength() => (element = element[i]).ValueKind != JsonValueKind.Undefined,
                _ => false,
            };
            if (!found)
                throw schema.Refused(keyword, $"there is nothing at \"{reference}\".");
            address = BaseOf(element, address, dialect);
        }
        return Intern(element, path, address, dialect);
    }

    private Schema Intern(JsonElement element, string path, Uri address, SchemaDialect dialect)
    {
        if (element.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
            throw new StructureException($"{path}: expected a schema, an object or true or false.");
        if (_schemas.TryGetValue((path, address.OriginalString), out Schema? schema))
            return schema;
        if (_byId.Count >= MostSchemas)
            throw new StructureException($"The schema has more than {MostSchemas:N0} parts; make it smaller.");
        schema = new Schema(_byId.Count, element, path, address, dialect);
        _byId.Add(schema);
        return _schemas[(path, address.OriginalString)] = schema;
    }

    private static SchemaDialect Dialect(JsonElement document, string path)
    {
        if (document.ValueKind != JsonValueKind.Object || !document.TryGetProperty("$schema", out JsonElement declared) || declared.ValueKind != JsonValueKind.String)
            return SchemaDialect.Newer;
        string name = declared.GetString()!.TrimEnd('#');
        if (!name.Contains("json-schema.org/", StringComparison.Ordinal))
            throw new StructureException($"{path}/$schema: the dialect \"{name}\" is not known; those of json-schema.org are.");
        return name.Contains("/draft-0", StringComparison.Ordinal) ? SchemaDialect.Older : name.Contains("/2019-09/", StringComparison.Ordinal) ? SchemaDialect.Draft2019 : SchemaDialect.Newer;
    }

    private static Uri BaseOf(JsonElement element, Uri address, SchemaDialect dialect)
    {
        if (element.ValueKind != JsonValueKind.Object || (dialect == SchemaDialect.Older && element.TryGetProperty("$ref", out _)))
            return address;
        foreach (string keyword in new[] { "$id", "id" })
        {
            if ((keyword == "$id" || dialect == SchemaDialect.Older) && element.TryGetProperty(keyword, out JsonElement id) && id.ValueKind == JsonValueKind.String
                && !id.GetString()!.StartsWith('#') && Uri.TryCreate(address, id.GetString(), out Uri? own))
            {
                return own;
            }
        }
        return address;
    }

    private static readonly HashSet<string> OfOne =
    [
        "items", "additionalItems", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties", "contentSchema",
    ];

    private static readonly HashSet<string> OfMany = ["$defs", "definitions", "properties", "patternProperties", "dependentSchemas", "dependencies", "allOf", "anyOf", "oneOf", "prefixItems", "items"];

    /// <summary>Finds what has an address of its own, where schemas stand: below other keywords there are none.</summary>
    private void Index(JsonElement element, string path, Uri address, SchemaDialect dialect, bool isRoot = false)
    {
        if (isRoot)
            _resources.TryAdd(Resource(address), (element, path, address, dialect));
        if (element.ValueKind != JsonValueKind.Object)
            return;
        Uri own = BaseOf(element, address, dialect);
        if (own != address)
            _resources.TryAdd(Resource(own), (element, path, own, dialect));
        foreach (JsonProperty property in element.EnumerateObject())
        {
            JsonElement value = property.Value;
            _used.Add(property.Name);
            if (value.ValueKind == JsonValueKind.String)
                IndexAnchor(property.Name, value.GetString()!, (element, path, own, dialect));
            if (property.Name == "$recursiveAnchor" && value.ValueKind == JsonValueKind.True)
                _dynamicAnchors[""] = _dynamicAnchors.GetValueOrDefault("") + 1;
            string below = $"{path}/{Escape(property.Name)}";
            if (OfOne.Contains(property.Name) && value.ValueKind == JsonValueKind.Object)
                Index(value, below, own, dialect);
            else if (OfMany.Contains(property.Name))
                IndexMany(value, below, own, dialect);
        }
    }

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    private void IndexMany(JsonElement value, string path, Uri address, SchemaDialect dialect)
    {
        int i = 0;
        if (value.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in value.EnumerateArray())
                Index(item, $"{path}/{i++}", address, dialect);
        }
        else if (value.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty item in value.EnumerateObject())
                Index(item.Value, $"{path}/{Escape(item.Name)}", address, dialect);
        }
    }

    private void IndexAnchor(string keyword, string name, (JsonElement Element, string Path, Uri Base, SchemaDialect Dialect) at)
    {
        string resource = Resource(at.Base);
        if (keyword is "$anchor" or "$dynamicAnchor")
            _anchors.TryAdd($"{resource}#{name}", at);
        if (keyword == "$dynamicAnchor")
            _dynamicAnchors[name] = _dynamicAnchors.GetValueOrDefault(name) + 1;
        if (keyword is "$id" or "id" && name.StartsWith('#'))
            _anchors.TryAdd($"{resource}{name}", at);
    }
}
