// One tree of records = JSON file = command line = saved run.
//
// How a record is declared
//   sealed record TrainingOptions(
//       [Range(1, int.MaxValue)] int Steps = 1000,                                     positional, with a constant default; or
//       Precision Precision = Precision.Bf16)                                          an enum: list SnakeCaseEnum<Precision> (below)
//   {
//       public OptimizerOptions Optimizer { get; init; } = new AdamW();                init, with any default;
//       [MinLength(1)] public string Data { get; init; } = "";                         "must be given": an empty default and [MinLength(1)]
//   }
// - [Range(least, most)] with MinimumIsExclusive/MaximumIsExclusive bounds a number, or every number of an array or dictionary;
//   int.MaxValue and double.PositiveInfinity mean "no upper bound". On a positional parameter it needs no [property:].
//   It is not inherited from a base record's parameter: repeat it, or write [property: Range(…)] in the base.
// - Rules between keys: implement IValidatableObject and yield new ValidationResult("message", [nameof(Key)]).
// - A parameter without a default (and a `required` member) is a key that every new object must be given.
// - Kinds: [JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")] and [JsonDerivedType(typeof(AdamW), "adamw")] on an abstract record.
// - Computed get-only properties and [JsonIgnore] are not part of the tree.
// - The context, once for all:
//   [JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
//       AllowOutOfOrderMetadataProperties = true, Converters = [typeof(SnakeCaseEnum<Precision>)])]
//   [JsonSerializable(typeof(PretrainRecipe))]
//   internal sealed partial class RecipeContext : JsonSerializerContext;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Gradus.Cli.Configuration;

/// <summary>
/// Resolves a configuration: serialized defaults → recipe file → the size chosen with <c>--size=name</c> → <c>--path.to.value=x</c>
/// → strict deserialization into records.
/// </summary>
/// <remarks>
/// Besides the tree's own keys a recipe may have <c>"sizes": {"baby": {…partial tree…}}</c>, <c>"$schema"</c> and
/// <c>"description"</c>; comments and trailing commas are allowed. Objects merge, arrays and single values replace; where the
/// <c>kind</c> of a polymorphic object changes, that kind's defaults replace the whole object.
/// </remarks>
public static class ConfigurationTree
{
    /// <summary>The largest recipe read, in bytes.</summary>
    public const int LargestRecipe = 16 << 20;

    /// <summary>The keys of a recipe that are not part of the configuration.</summary>
    internal static readonly string[] RecipeKeys = ["$schema", "description", "sizes"];

    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Resolves a configuration from a recipe file.</summary>
    /// <typeparam name="T">The root record.</typeparam>
    /// <param name="type">The record's source-generated metadata; its options name the keys.</param>
    /// <param name="defaults">The values of everything that is not given.</param>
    /// <param name="file">The path of the recipe.</param>
    /// <param name="overrides">The arguments of the form <c>--path.to.value=x</c>, and <c>--size=name</c>.</param>
    /// <exception cref="ConfigurationException">The file cannot be read, or what it or an argument says cannot be used.</exception>
    public static T Load<T>(JsonTypeInfo<T> type, T defaults, string file, IReadOnlyList<string> overrides)
        where T : class
    {
        return (T)Resolve(type, defaults, ReadFile(file), file, overrides);
    }

    /// <inheritdoc cref="Load{T}(JsonTypeInfo{T}, T, string, IReadOnlyList{string})"/>
    public static object Load(JsonTypeInfo type, object defaults, string file, IReadOnlyList<string> overrides) =>
        Resolve(type, defaults, ReadFile(file), file, overrides);

    /// <summary>Resolves a configuration without a recipe: its values, changed by arguments.</summary>
    /// <param name="type">The record's source-generated metadata.</param>
    /// <param name="values">The values of everything that no argument changes.</param>
    /// <param name="overrides">The arguments of the form <c>--path.to.value=x</c>.</param>
    /// <exception cref="ConfigurationException">What an argument says cannot be used.</exception>
    public static object Resolve(JsonTypeInfo type, object values, IReadOnlyList<string> overrides) => Resolve(type, values, (byte[]?)null, "", overrides);

    /// <summary>Resolves a configuration from a recipe's text.</summary>
    /// <typeparam name="T">The root record.</typeparam>
    /// <param name="type">The record's source-generated metadata; its options name the keys.</param>
    /// <param name="defaults">The values of everything that is not given.</param>
    /// <param name="recipe">The recipe, or null where there is none.</param>
    /// <param name="fileName">What messages call the recipe.</param>
    /// <param name="overrides">The arguments of the form <c>--path.to.value=x</c>, and <c>--size=name</c>.</param>
    /// <exception cref="ConfigurationException">What the recipe or an argument says cannot be used.</exception>
    public static T Resolve<T>(JsonTypeInfo<T> type, T defaults, string? recipe, string fileName, IReadOnlyList<string> overrides)
        where T : class
    {
        // Half a surrogate pair becomes U+FFFD here; a file with one is not UTF-8 and does not come this far.
        return (T)Resolve(type, defaults, recipe is null ? null : Encoding.UTF8.GetBytes(recipe), fileName, overrides);
    }

    /// <summary>The resolved tree as it is kept in <c>run.json</c>: every key in the order of declaration, indented, and a recipe itself.</summary>
    /// <param name="type">The record's source-generated metadata.</param>
    /// <param name="value">The configuration.</param>
    public static string ToJson(JsonTypeInfo type, object value)
    {
        ConfigurationNode tree = Root(type).Serialize(value, new Origin(new ConfigurationSource(type.Type.Name)));
        return Encoding.UTF8.GetString(tree.ToUtf8(pretty: true)) + "\n";
    }

    /// <summary>The root's type; it has keys, and none that a recipe needs for itself.</summary>
    internal static ConfigurationType Root(JsonTypeInfo info)
    {
        ConfigurationType root = ConfigurationType.Of(info);
        if (root.Shape != ValueShape.Record)
            throw new NotSupportedException($"{info.Type}: the root of a configuration is a plain record.");
        if (root.Properties.Keys.FirstOrDefault(k => RecipeKeys.Contains(k) || k == "size") is { } taken)
            throw new NotSupportedException($"{info.Type}: the key \"{taken}\" belongs to the recipe itself.");
        return root;
    }

    /// <summary>The reader's own words without its path and position, which are shown in front.</summary>
    internal static string SyntaxProblem(JsonException e)
    {
        int end = new[] { " Path: ", " LineNumber: " }.Select(s => e.Message.IndexOf(s, StringComparison.Ordinal)).Where(i => i >= 0).DefaultIfEmpty(e.Message.Length).Min();
        return $"not valid JSON: {e.Message[..end].TrimEnd('.', ' ')}";
    }

    private static object Resolve(JsonTypeInfo type, object defaults, byte[]? recipe, string fileName, IReadOnlyList<string> overrides)
    {
        ConfigurationType root = Root(type);
        ConfigurationProblems problems = new();
        Origin origin = new(new ConfigurationSource(recipe is null ? "defaults" : fileName));
        ConfigurationMerge merge = new(problems, origin);
        ConfigurationNode tree = root.Serialize(defaults, origin);

        CommandLineOverrides arguments = new(overrides, merge, problems);
        if (recipe is not null)
            tree = MergeRecipe(root, tree, Parse(recipe, fileName), arguments, merge, problems);
        else if (arguments.Size is not null)
            problems.Add(arguments.Origin, "size", "there are no sizes without a recipe");
        tree = arguments.Apply(root, tree);
        problems.ThrowIfAny();

        ConfigurationConstraints constraints = new(problems);
        constraints.Check(root, tree, "");
        problems.ThrowIfAny();
        object value = Deserialize(type, tree, origin);
        constraints.CheckRules(root, value, tree, origin, "");
        problems.ThrowIfAny();
        return value;
    }

    private static ConfigurationNode MergeRecipe(
        ConfigurationType root, ConfigurationNode tree, ConfigurationNode recipe, CommandLineOverrides arguments,
        ConfigurationMerge merge, ConfigurationProblems problems)
    {
        if (recipe.Kind != JsonValueKind.Object)
            return merge.Merge(root, false, tree, recipe, "");
        OrderedDictionary<string, ConfigurationNode> own = new(recipe.Members.Where(m => !RecipeKeys.Contains(m.Key)));
        tree = merge.Merge(root, false, tree, ConfigurationNode.Object(own, recipe.Origin), "");

        ConfigurationNode sizes = recipe.Members.GetValueOrDefault("sizes") ?? ConfigurationNode.Object([], recipe.Origin);
        if (sizes.Kind != JsonValueKind.Object)
            problems.Add(sizes.Origin, "sizes", $"expected an object, got {sizes}");
        ConfigurationNode chosen = tree;
        // A mistake in a size that was not asked for is one all the same.
        foreach ((string name, ConfigurationNode size) in sizes.Members)
        {
            ConfigurationNode merged = merge.Merge(root, false, tree, size, ConfigurationMerge.Join("sizes", name));
            if (name == arguments.Size)
                chosen = merged;
        }
        if (arguments.Size is { } wanted && !sizes.Members.ContainsKey(wanted))
        {
            string known = sizes.Members.Count == 0 ? "the recipe has no sizes" : $"sizes here: {string.Join(", ", sizes.Members.Keys)}";
            problems.Add(arguments.Origin, "size", $"unknown size {ConfigurationNode.Quote(wanted)}; {known}");
        }
        return chosen;
    }

    private static object Deserialize(JsonTypeInfo type, ConfigurationNode tree, Origin origin)
    {
        try
        {
            return JsonSerializer.Deserialize(tree.ToUtf8(), type)!;
        }
        catch (JsonException e)
        {
            string path = e.Path is { } p && p.StartsWith("$.", StringComparison.Ordinal) ? $"{p[2..]}: " : "";
            throw new ConfigurationException([$"{origin}: {path}{SyntaxProblem(e)}"], e);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidDataException or OverflowException)
        {
            // A record's constructor refused its values.
            throw new ConfigurationException([$"{origin}: {e.Message.ReplaceLineEndings(" ")}"], e);
        }
    }

    private static ConfigurationNode Parse(byte[] recipe, string fileName)
    {
        ReadOnlySpan<byte> text = recipe;
        if (text.StartsWith(Encoding.UTF8.Preamble))
            text = text[Encoding.UTF8.Preamble.Length..];
        ConfigurationSource source = new(fileName, text.ToArray());
        try
        {
            return ConfigurationNode.Parse(text, source);
        }
        catch (JsonException e)
        {
            int line = (int)(e.LineNumber ?? 0), start = 0;
            for (int i = 0; i < line; i++)
                start += text[start..].IndexOf((byte)'\n') + 1;
            throw new ConfigurationException([$"{source.Locate(start + (int)(e.BytePositionInLine ?? 0))}: {SyntaxProblem(e)}"], e);
        }
    }

    private static byte[] ReadFile(string file)
    {
        byte[] bytes;
        try
        {
            if (Directory.Exists(file))
                throw new ConfigurationException([$"{file}: is a directory; give the path of a recipe (a JSON file)"]);
            using FileStream stream = File.OpenRead(file);
            bytes = new byte[LargestRecipe + 1];
            bytes = bytes[..stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or ArgumentException)
        {
            throw new ConfigurationException([$"{file}: no such file"], e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException([$"{file}: cannot be read: {e.Message}"], e);
        }
        if (bytes.Length > LargestRecipe)
            throw new ConfigurationException([$"{file}: is larger than {LargestRecipe >> 20} MiB, so it is no recipe (a JSON file)"]);
        try
        {
            s_utf8.GetCharCount(bytes);
            return bytes;
        }
        catch (DecoderFallbackException e)
        {
            string place = new ConfigurationSource(file, bytes).Locate(Math.Max(0, e.Index));
            throw new ConfigurationException([$"{place}: is not UTF-8 text; save the recipe as UTF-8"], e);
        }
    }
}
