using System.Text.Json;
using System.Text.Json.Serialization;

namespace Gradus.Cli.Configuration;

/// <summary>
/// Writes an enum as snake_case names and never as a number. A context lists it once per enum:
/// <c>Converters = [typeof(SnakeCaseEnum&lt;Precision&gt;)]</c>. A member may choose its name with <c>[JsonStringEnumMemberName]</c>.
/// </summary>
/// <typeparam name="TEnum">The enum.</typeparam>
public sealed class SnakeCaseEnum<TEnum>() : JsonStringEnumConverter<TEnum>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where TEnum : struct, Enum;
