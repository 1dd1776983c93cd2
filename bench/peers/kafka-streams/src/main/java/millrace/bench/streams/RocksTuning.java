package millrace.bench.streams;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.CompressionType;
import org.rocksdb.Filter;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;

/**
 * RocksDB as the memory-management page of Kafka Streams shows it: one bounded block cache for all stores, with
 * memtables large enough that an account is mostly found in one, and a filter for those that are not.
 */
public final class RocksTuning implements RocksDBConfigSetter {
  private static final Cache CACHE = new LRUCache(256L << 20);
  private static final Filter FILTER = new BloomFilter(10);

  @Override
  public void setConfig(String storeName, Options options, Map<String, Object> configs) {
    BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
    table.setBlockCache(CACHE);
    table.setFilterPolicy(FILTER);
    table.setCacheIndexAndFilterBlocks(true);
    options.setTableFormatConfig(table);
    options.setCompressionType(CompressionType.NO_COMPRESSION);
    options.setWriteBufferSize(64L << 20);
    options.setMaxWriteBufferNumber(3);
    options.setIncreaseParallelism(2);
  }

  @Override
  public void close(String storeName, Options options) {
    // cache and filter serve the other partitions' stores, and live as long as the process
  }
}
