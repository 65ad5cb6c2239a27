using System.Collections;
using System.Globalization;
using System.Text.Json;
using Parquet;
using Parquet.Serialization;

namespace Gradus.Training.Data;

/// <summary>Reads the rows of an Apache Parquet file (the format of the hub's data sets) as records, a group of rows at a time.</summary>
internal static class ParquetRecords
{
    /// <summary>The records of a file; nulls are left out, bytes and dates are text.</summary>
    /// <exception cref="InvalidDataException">The file is no whole Parquet file, or holds types that have no JSON.</exception>
    public static IEnumerable<DataRecord> Read(string path)
    {
        using FileStream stream = DataFile.OpenFile(path);
        int groups = Guarded(path, () => CountGroupsAsync(stream).GetAwaiter().GetResult());
        long row = 0;
        for (int group = 0; group < groups; group++)
        {
            IList<Dictionary<string, object>> rows = Guarded(path, () =>
                ParquetSerializer.DeserializeUntypedAsync(stream, null, group).GetAwaiter().GetResult().Data);
            for (int i = 0; i < rows.Count; i++)
                yield return new DataRecord(Object(rows[i], path, ++row), path, row);
        }
    }

    private static async Task<int> CountGroupsAsync(Stream stream)
    {
        await using ParquetReader reader = await ParquetReader.CreateAsync(stream, leaveStreamOpen: true).ConfigureAwait(false);
        return reader.RowGroupCount;
    }

    private static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (OutOfMemoryException or OperationCanceledException))
        {
            // A reader of hostile files that is not ours: whatever it meets is the file's fault.
            string reason = e.Message.ReplaceLineEndings(" ");
            throw new InvalidDataException($"{path}: not a Parquet file that can be read ({reason}); get it again, or convert it to JSON lines.", e);
        }
    }

    private static JsonElement Object(Dictionary<string, object> row, string path, long number)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream))
            Write(writer, row, path, number);
        using JsonDocument document = JsonDocument.Parse(stream.ToArray());
        return document.RootElement.Clone();
    }

    private static void Write(Utf8JsonWriter writer, object? value, string path, long row)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case byte[] bytes:
                writer.WriteBase64StringValue(bytes);
                break;
            case double or float:
                WriteReal(writer, Convert.ToDouble(value, CultureInfo.InvariantCulture));
                break;
            case sbyte or byte or short or ushort or int or uint or long:
                writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case ulong or decimal:
                writer.WriteNumberValue(Convert.ToDecimal(value, CultureInfo.InvariantCulture));
                break;
            case IDictionary fields:
                writer.WriteStartObject();
                foreach (DictionaryEntry field in fields)
                {
                    writer.WritePropertyName((string)field.Key);
                    Write(writer, field.Value, path, row);
                }
                writer.WriteEndObject();
                break;
            case IFormattable other:
                writer.WriteStringValue(other.ToString(null, CultureInfo.InvariantCulture));
                break;
            case IEnumerable list:
                writer.WriteStartArray();
                foreach (object? element in list)
                    Write(writer, element, path, row);
                writer.WriteEndArray();
                break;
            default:
                throw new InvalidDataException($"{path}: row {row}: a value of the type {value.GetType().Name} has no JSON; convert the file to JSON lines.");
        }
    }

    // JSON has no infinity.
    private static void WriteReal(Utf8JsonWriter writer, double value)
    {
        if (double.IsFinite(value))
            writer.WriteNumberValue(value);
        else
            writer.WriteNullValue();
    }
}
